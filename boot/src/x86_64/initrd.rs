//! Where the initramfs goes.

use std::ops::Range;

const PAGE: u64 = 4096;

/// An initramfs in guest memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Initrd {
    /// Its first byte's guest physical address, page aligned.
    pub gpa: u64,
    /// Its length in bytes.
    pub len: u64,
}

/// No room for the initramfs.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "RAM is too small: an initramfs of {len} bytes does not fit between the kernel's end at \
     {kernel_end:#x} and the end of RAM below 4 GiB at {ram_end:#x}"
)]
pub struct InitrdError {
    len: u64,
    kernel_end: u64,
    ram_end: u64,
}

/// Finds room for an initramfs of `len` bytes: whole pages at the end of the RAM below 4 GiB, far
/// from what the kernel takes first. PVH kernels find it only below 4 GiB.
pub fn place_initrd(ram: &[Range<u64>], kernel_end: u64, len: u64) -> Result<Initrd, InitrdError> {
    let ram_end = ram.first().map_or(0, |range| range.end);
    let error = InitrdError { len, kernel_end, ram_end };
    match ram_end.checked_sub(len) {
        Some(start) if start / PAGE * PAGE >= kernel_end => {
            Ok(Initrd { gpa: start / PAGE * PAGE, len })
        }
        _ => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arch::x86_64::layout;

    #[test]
    fn it_ends_in_the_last_page_of_low_ram() {
        let ram = [0..0x1000_0000, 0x1_0000_0000..0x2_0000_0000];
        assert_eq!(place_initrd(&ram, 0x300_0000, 1), Ok(Initrd { gpa: 0xFFF_F000, len: 1 }));
        let len = 0x1234_5678 >> 4;
        let initrd = place_initrd(&ram, 0x300_0000, len).unwrap();
        assert!(initrd.gpa.is_multiple_of(PAGE) && initrd.gpa + len <= 0x1000_0000);
    }

    #[test]
    fn it_never_overlaps_the_kernel() {
        let ram = layout::ram_ranges(0x1000_0000);
        assert!(place_initrd(&ram, 0xFFF_F000, PAGE).is_ok());
        for (kernel_end, len) in [(0xFFF_F001, PAGE), (0x10_0000, 0x1000_0000), (0, u64::MAX)] {
            let error = place_initrd(&ram, kernel_end, len).unwrap_err();
            assert!(error.to_string().contains("too small"), "{error}");
        }
    }
}
