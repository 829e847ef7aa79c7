//! Where an aarch64 kernel's initramfs goes. The kernel itself is planned by
//! [`arm64_image`](crate::arm64_image), and told of it all by [`arch::aarch64::fdt`].

pub use crate::initrd::{Initrd, InitrdError};

use crate::initrd;
use arch::aarch64::layout::RAM_START;
use std::ops::Range;

/// Most bytes between the ends of a kernel and its initramfs, counted from a multiple of 1 GiB below
/// both (Linux Documentation/arch/arm64/booting.rst §4). The start of RAM is one.
const WINDOW: u64 = 32 << 30;

/// Finds room for an initramfs of `len` bytes at the end of the RAM that the kernel looks at.
pub fn place_initrd(ram: &[Range<u64>], kernel_end: u64, len: u64) -> Result<Initrd, InitrdError> {
    let ram_end = ram.first().map_or(0, |range| range.end);
    initrd::place(kernel_end..ram_end.min(RAM_START + WINDOW), len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arch::aarch64::layout::ram_ranges;

    const GIB: u64 = 1 << 30;

    #[test]
    fn the_initramfs_is_within_32_gib_of_the_kernel() {
        assert!(RAM_START.is_multiple_of(GIB));
        let gpa = |ram| place_initrd(&ram_ranges(ram), 0x4200_0000, 0x1001).unwrap().gpa;
        assert_eq!(gpa(GIB), 0x7FFF_E000);
        assert_eq!(gpa(32 * GIB), 0x8_3FFF_E000);
        assert_eq!(gpa(200 * GIB), 0x8_3FFF_E000);
        assert!(place_initrd(&ram_ranges(GIB), 0x4200_0000, GIB).is_err());
    }
}
