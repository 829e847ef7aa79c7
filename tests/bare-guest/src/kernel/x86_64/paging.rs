//! Physical memory, which is at its own address up to 4 GiB (boot.s).

use core::ptr;
use core::slice;
use core::sync::atomic::{AtomicU64, Ordering};

use super::cpu;
use crate::kernel::dma::Number;
use crate::kernel::memory::image;

/// End of what boot.s maps.
const MAPPED_END: u64 = 1 << 32;
/// The window follows at 4 GiB.
const WINDOW: u64 = MAPPED_END;
const WINDOW_PAGE: u64 = 2 << 20;

unsafe extern "C" {
    /// The page directory of the window (boot.s).
    #[link_name = "window_pd"]
    static WINDOW_DIRECTORY: [AtomicU64; 512];
}

/// Reads a number, aligned or not, that something outside the program wrote. `None` outside the mapped memory.
pub fn read<T: Number>(address: u64) -> Option<T> {
    let end = address.checked_add(size_of::<T>() as u64)?;
    // SAFETY: the range is mapped and not at null; nothing that the program borrows mutably is read through here.
    (address != 0 && end <= MAPPED_END).then(|| unsafe { ptr::read_unaligned(address as *const T) })
}

/// Memory that was written before the start of this program, and that nothing changes. `None` outside the mapped memory.
pub fn bytes(address: u64, len: u64) -> Option<&'static [u8]> {
    let end = address.checked_add(len)?;
    let image = image();
    let is_apart = end <= image.0 || image.1 <= address;
    // SAFETY: the range is mapped, not at null and outside this program; nobody writes there but `memory.rs`, which borrows
    // nothing meanwhile, and puts back what was there.
    (address != 0 && end <= MAPPED_END && is_apart)
        .then(|| unsafe { slice::from_raw_parts(address as *const u8, len as usize) })
}

/// Where the word at an aligned physical address can be reached, until the next call.
pub fn reach(address: u64) -> Option<*mut u64> {
    if address < MAPPED_END {
        return Some(address as *mut u64);
    }
    // SAFETY: boot.s defines it with this size and alignment.
    let entry = unsafe { &WINDOW_DIRECTORY[0] };
    entry.store(address & !(WINDOW_PAGE - 1) | 0x83, Ordering::Relaxed);
    cpu::invalidate_page(WINDOW);
    Some((WINDOW + address % WINDOW_PAGE) as *mut u64)
}
