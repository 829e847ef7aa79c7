//! Kernel files, as a person may name any.

use std::error::Error;
use std::ops::Range;

use arch::{aarch64, x86_64};
use boot::decompress::{DecompressError, decompress};
use boot::{Segment, arm64_image, bzimage, elf};
use host::text::in_one_line;

use crate::files::file;

/// The memory of the guests that kernels are planned for, in bytes.
const RAM: u64 = 256 << 20;

/// What [`unpacked`] unfolds to at most, in bytes.
const UNPACKED: usize = 64 << 10;

/// An ELF kernel.
pub fn elf(bytes: &[u8]) {
    let ram = x86_64::layout::ram_ranges(RAM);
    match elf::parse(&file(bytes), &ram) {
        Ok(kernel) => {
            check_plan(&kernel.segments, &ram, bytes.len());
            let last = kernel.segments.iter().map(end).max();
            assert_eq!(last, Some(kernel.end));
            assert!(kernel.segments.iter().all(|s| s.gpa >= x86_64::layout::KERNEL));
            if let Ok(initrd) = boot::x86_64::place_initrd(&ram, kernel.end, 1 << 20) {
                assert!(initrd.gpa >= kernel.end && initrd.gpa + (1 << 20) <= ram[0].end);
            }
        }
        Err(error) => check_refusal(&error),
    }
}

/// A distribution's bzImage.
pub fn bzimage(bytes: &[u8]) {
    match bzimage::extract_vmlinux(bytes) {
        Ok(vmlinux) => {
            assert!(bzimage::is_bzimage(bytes) && vmlinux.starts_with(b"\x7fELF\x02"));
            let payload = bzimage::payload(bytes).expect("what was unpacked");
            if payload != vmlinux {
                let word = payload.last_chunk().expect("its length word");
                assert_eq!(vmlinux.len(), u32::from_le_bytes(*word) as usize);
            }
        }
        Err(error) => check_refusal(&error),
    }
}

/// An arm64 Image, plain or packed.
pub fn arm64_image(bytes: &[u8]) {
    let ram = aarch64::layout::ram_ranges(RAM);
    match arm64_image::parse(&file(bytes), &ram) {
        Ok(kernel) => {
            assert!(arm64_image::is_image(bytes));
            check_plan(&kernel.segments, &ram, bytes.len());
            assert_eq!(
                (kernel.entry, kernel.end),
                (kernel.segments[0].gpa, end(&kernel.segments[0]))
            );
        }
        Err(error) => check_refusal(&error),
    }
    match arm64_image::extract_image(bytes) {
        Ok(image) => assert!(arm64_image::is_packed(bytes) && arm64_image::is_image(&image)),
        Err(error) => check_refusal(&error),
    }
}

/// A compressed stream of any of the formats that kernels and modules come in.
pub fn unpacked(bytes: &[u8]) {
    match decompress(bytes, UNPACKED) {
        Ok(out) => {
            assert!(out.len() <= UNPACKED);
            // The limit is what the caller says, to the byte.
            let all = decompress(bytes, out.len());
            assert!(all.is_ok_and(|all| all == out));
            let less = out.len().checked_sub(1).map(|limit| decompress(bytes, limit));
            assert!(matches!(less, None | Some(Err(DecompressError::TooLarge { .. }))));
        }
        Err(error) => check_refusal(&error),
    }
}

fn end(segment: &Segment) -> u64 {
    segment.gpa.checked_add(segment.mem_len).expect("a segment that does not wrap")
}

/// What the VMM relies on when it carries out a plan.
fn check_plan(segments: &[Segment], ram: &[Range<u64>], file_len: usize) {
    for segment in segments {
        let inside = |range: &Range<u64>| range.contains(&segment.gpa) && end(segment) <= range.end;
        assert!(ram.iter().any(inside));
        assert!(segment.file_len <= segment.mem_len);
        let file_end = segment.file_offset.checked_add(segment.file_len);
        assert!(file_end.is_some_and(|end| end <= file_len as u64));
    }
    for pair in segments.windows(2) {
        assert!(end(&pair[0]) <= pair[1].gpa);
    }
}

/// Whatever was wrong, a person is told so in one line, in which nothing stands twice.
pub fn check_refusal(error: &dyn Error) {
    let line = in_one_line(error);
    assert!(!line.is_empty() && !line.contains(char::is_control), "{line}");
    if let Some(cause) = error.source() {
        let (text, cause) = (error.to_string(), cause.to_string());
        assert!(cause.is_empty() || !text.contains(&cause), "\"{text}\" repeats its cause");
    }
}
