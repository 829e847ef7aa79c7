//! Physical memory, which is at its own address (boot.s).

use core::slice;

use crate::kernel::memory::image;

/// End of device memory, where RAM starts.
pub const RAM_START: u64 = 1 << 30;
/// End of what boot.s maps.
const MAPPED_END: u64 = 512 << 30;

/// RAM that was written before the start of this program, and that nothing changes.
pub fn bytes(address: u64, len: u64) -> Option<&'static [u8]> {
    let end = address.checked_add(len)?;
    let image = image();
    let is_apart = end <= image.0 || image.1 <= address;
    // SAFETY: the range is mapped as normal memory and outside this program; nobody writes there but `memory.rs`, which
    // borrows nothing meanwhile, and puts back what was there.
    (RAM_START <= address && end <= MAPPED_END && is_apart)
        .then(|| unsafe { slice::from_raw_parts(address as *const u8, len as usize) })
}

/// Where the word at an aligned physical address can be reached.
pub fn reach(address: u64) -> Option<*mut u64> {
    (RAM_START..MAPPED_END).contains(&address).then_some(address as *mut u64)
}
