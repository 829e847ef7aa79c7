//! Pages that devices read and write.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicUsize, Ordering, fence};

/// Plain numbers: any bytes are a value.
///
/// # Safety
/// Implement it only for types without padding and invalid values.
pub unsafe trait Number: Copy {}
// SAFETY: integers.
unsafe impl Number for u8 {}
// SAFETY: integers.
unsafe impl Number for u16 {}
// SAFETY: integers.
unsafe impl Number for u32 {}
// SAFETY: integers.
unsafe impl Number for u64 {}
// SAFETY: arrays have no padding of their own.
unsafe impl<T: Number, const N: usize> Number for [T; N] {}

pub const PAGE: usize = 4096;
/// Up to four pages for each of 16 devices.
const PAGES: usize = 64;

#[repr(C, align(4096))]
struct Pool(UnsafeCell<[[u8; PAGE]; PAGES]>);

// SAFETY: each page is given out once, and there is one processor.
unsafe impl Sync for Pool {}

static POOL: Pool = Pool(UnsafeCell::new([[0; PAGE]; PAGES]));
static GIVEN: AtomicUsize = AtomicUsize::new(0);

/// A page of this program's memory that a device may change at any time: it is only read and written through, never borrowed.
pub struct Page(*mut u8);

impl Page {
    /// A page of zeros; `None` when all are given out.
    pub fn take() -> Option<Self> {
        let number = GIVEN.fetch_add(1, Ordering::Relaxed);
        (number < PAGES).then(|| Self(POOL.0.get().cast::<u8>().wrapping_add(number * PAGE)))
    }

    /// Its physical address.
    pub fn address(&self) -> u64 {
        self.0 as u64
    }

    /// Reads the number at `offset`; past the end there are zeros.
    pub fn get<T: Number + Default>(&self, offset: usize) -> T {
        if offset.checked_add(size_of::<T>()).is_none_or(|end| end > PAGE) {
            return T::default();
        }
        // SAFETY: inside the page, which is this program's; any bytes are a number.
        unsafe { self.0.add(offset).cast::<T>().read_unaligned() }
    }

    /// Writes the number at `offset`, if it is in the page.
    pub fn put<T: Number>(&self, offset: usize, value: T) {
        if offset.checked_add(size_of::<T>()).is_some_and(|end| end <= PAGE) {
            // SAFETY: as for `get`; nothing is borrowed from the page.
            unsafe { self.0.add(offset).cast::<T>().write_unaligned(value) }
        }
    }
}

/// What was written before is there for the device before what follows, and likewise for reads.
pub fn barrier() {
    fence(Ordering::SeqCst);
}
