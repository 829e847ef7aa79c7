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
     {kernel_end:#x} and {end:#x}, the end of the RAM where a kernel looks for one"
)]
pub struct InitrdError {
    len: u64,
    kernel_end: u64,
    end: u64,
}

/// Takes whole pages at the end of the RAM after the kernel, far from what the kernel takes first.
pub fn place(room: Range<u64>, len: u64) -> Result<Initrd, InitrdError> {
    match room.end.checked_sub(len) {
        Some(start) if start / PAGE * PAGE >= room.start => {
            Ok(Initrd { gpa: start / PAGE * PAGE, len })
        }
        _ => Err(InitrdError { len, kernel_end: room.start, end: room.end }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn it_ends_in_the_last_page() {
        assert_eq!(place(0x300_0000..0x1000_0000, 1), Ok(Initrd { gpa: 0xFFF_F000, len: 1 }));
    }

    #[test]
    fn it_never_overlaps_the_kernel() {
        assert!(place(0xFFF_F000..0x1000_0000, PAGE).is_ok());
        for (kernel_end, len) in [(0xFFF_F001, PAGE), (0x10_0000, 0x1000_0000), (0, u64::MAX)] {
            let error = place(kernel_end..0x1000_0000, len).unwrap_err();
            assert!(error.to_string().contains("too small"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn it_lies_in_its_room_page_aligned_or_does_not_fit(start: u64, end: u64, len: u64) {
            match place(start..end, len) {
                Ok(Initrd { gpa, len }) => {
                    prop_assert!(gpa.is_multiple_of(PAGE) && gpa >= start && gpa + len <= end);
                }
                Err(_) => prop_assert!(end.saturating_sub(start) < len.saturating_add(PAGE)),
            }
        }
    }
}
