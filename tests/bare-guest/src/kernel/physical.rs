//! Physical memory, which is at its own address up to 4 GiB (boot.s).

use core::ptr;
use core::sync::atomic::{AtomicU64, Ordering};

use super::cpu;

/// End of what boot.s maps.
const MAPPED_END: u64 = 1 << 32;
/// The window follows at 4 GiB.
const WINDOW: u64 = MAPPED_END;
const WINDOW_PAGE: u64 = 2 << 20;

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

/// Reads a number, aligned or not, that something outside the program wrote. `None` outside the mapped memory.
pub fn read<T: Number>(address: u64) -> Option<T> {
    let end = address.checked_add(size_of::<T>() as u64)?;
    // SAFETY: the range is mapped and not at null; nothing that the program borrows mutably is read through here.
    (address != 0 && end <= MAPPED_END).then(|| unsafe { ptr::read_unaligned(address as *const T) })
}

unsafe extern "C" {
    /// The page directory of the window (boot.s).
    #[link_name = "window_pd"]
    static WINDOW_DIRECTORY: [AtomicU64; 512];
}

/// Writes a word of RAM at any physical address, reads it back, and restores what was there.
pub fn holds_a_word(address: u64) -> bool {
    let mapped = if address < MAPPED_END {
        address
    } else {
        // SAFETY: boot.s defines it with this size and alignment.
        let entry = unsafe { &WINDOW_DIRECTORY[0] };
        entry.store(address & !(WINDOW_PAGE - 1) | 0x83, Ordering::Relaxed);
        cpu::invalidate_page(WINDOW);
        WINDOW + address % WINDOW_PAGE
    };
    let word = mapped as *mut u64;
    let pattern = 0x5aa5_1234_8bad_f00d ^ address;
    // SAFETY: the address is aligned, mapped, and RAM outside this program's image by the memory map and the caller.
    unsafe {
        let before = word.read_volatile();
        word.write_volatile(pattern);
        let good = word.read_volatile() == pattern;
        word.write_volatile(before);
        good
    }
}
