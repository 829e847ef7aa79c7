//! What an x86_64 Linux kernel is told at entry: memory map, command line, initramfs, ACPI root.
//!
//! The same facts in two forms: the zero page of the 64-bit Linux boot protocol, and the start info
//! of PVH.

mod memory_map;
mod start_info;
mod zero_page;

pub use crate::initrd::{Initrd, InitrdError};
pub use start_info::start_info;
pub use zero_page::zero_page;

use crate::cmdline::Cmdline;
use crate::initrd;
use std::ops::Range;

/// The facts.
#[derive(Clone, Copy, Debug)]
pub struct Parameters<'a> {
    /// RAM, as of [`arch::x86_64::layout::ram_ranges`].
    pub ram: &'a [Range<u64>],
    /// Kernel command line.
    pub cmdline: &'a Cmdline,
    /// Where the initramfs is, if there is one.
    pub initrd: Option<Initrd>,
    /// Address of the ACPI RSDP.
    pub rsdp: u64,
}

/// Finds room for an initramfs of `len` bytes at the end of the RAM below 4 GiB: PVH kernels find it
/// only there.
pub fn place_initrd(ram: &[Range<u64>], kernel_end: u64, len: u64) -> Result<Initrd, InitrdError> {
    let ram_end = ram.first().map_or(0, |range| range.end);
    initrd::place(kernel_end..ram_end, len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_initramfs_is_below_4_gib() {
        let ram = [0..0xC000_0000, 0x1_0000_0000..0x2_0000_0000];
        let initrd = place_initrd(&ram, 0x300_0000, 0x123_4567).unwrap();
        assert_eq!(initrd, Initrd { gpa: 0xBEDC_B000, len: 0x123_4567 });
        assert!(place_initrd(&ram, 0x300_0000, 0xBD00_0001).is_err());
    }
}
