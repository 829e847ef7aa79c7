//! Kernels' files.

use std::fs::File;
use std::io::Write;
use std::ops::Range;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use boot::elf::{ElfError, Kernel, parse};
use bulkhead_tests::Elf;

const RAM: [Range<u64>; 2] = [0..0x1000_0000, 0x1_0000_0000..0x1_1000_0000];

/// Longer than all of this takes on any machine: what is not done then goes round in circles.
const LIMIT: Duration = Duration::from_secs(300);

/// Places of fields (System V ABI, "ELF Header", "Program Header").
const PROGRAM_HEADERS: usize = 32;
const FIRST: usize = 64;
const SECOND: usize = FIRST + 56;
const OFFSET: usize = 8;
const FILE_SIZE: usize = 32;
/// PT_NOTE.
const NOTE: u32 = 4;
/// What they take: whole ones, of 12 bytes each.
const NOTES: u64 = 341 * 12;

/// A kernel with a segment to load, and one of notes, which are zeros: notes without name and content, one after the other.
fn kernel() -> Vec<u8> {
    let mut bytes = Elf::new().and_page_at(0x20_0000).to_bytes();
    // The notes are its end.
    bytes.truncate(bytes.len() - (0x1000 - NOTES as usize));
    bytes[SECOND..SECOND + 4].copy_from_slice(&NOTE.to_le_bytes());
    bytes[SECOND + FILE_SIZE..SECOND + FILE_SIZE + 8].copy_from_slice(&NOTES.to_le_bytes());
    bytes
}

/// Parses it with this 64-bit number in each of these places.
fn parse_with(values: &[(usize, u64)]) -> Result<Kernel, ElfError> {
    let mut bytes = kernel();
    for &(at, value) in values {
        bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
    }
    parse(&file(&bytes), &RAM)
}

fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

/// linux-loader (CVE-2022-23523) believed the offsets and lengths in an ELF's headers. Where they lay beyond the file's end, a
/// read gave nothing, and was tried again for ever.
#[test]
fn ghsa_52h2_m2cf_9jh6_headers_that_point_beyond_the_file_are_refused() {
    let (done, end) = mpsc::channel();
    let test = thread::spawn(move || {
        refuse_all();
        // The receiver is there: it waits.
        let _ = done.send(());
    });
    let ended = end.recv_timeout(LIMIT);
    assert_ne!(ended, Err(mpsc::RecvTimeoutError::Timeout), "an endless loop");
    test.join().unwrap();
}

fn refuse_all() {
    parse_with(&[]).unwrap();
    let len = kernel().len() as u64;
    let wrong = [len, len + 1, 1 << 31, 1 << 32, 1 << 63, u64::MAX - 0xfff, u64::MAX];
    let any = [0, 1, 12, 55, 56, 0x1000, len - 1].into_iter().chain(wrong);
    for value in wrong {
        assert!(parse_with(&[(PROGRAM_HEADERS, value)]).is_err(), "program headers at {value:#x}");
        for header in [FIRST, SECOND] {
            assert!(parse_with(&[(header + OFFSET, value)]).is_err(), "{header}: at {value:#x}");
            assert!(parse_with(&[(header + FILE_SIZE, value)]).is_err(), "{header}: {value:#x}");
        }
    }
    for header in [FIRST, SECOND] {
        for offset in any.clone() {
            for size in any.clone() {
                let result = parse_with(&[(header + OFFSET, offset), (header + FILE_SIZE, size)]);
                let inside = offset.checked_add(size).is_some_and(|end| end <= len);
                assert!(inside || result.is_err(), "{header}: {size:#x} at {offset:#x}");
            }
        }
    }
    // Cut off anywhere.
    let file = file(&kernel());
    for len in (0..len).rev() {
        file.set_len(len).unwrap();
        assert!(parse(&file, &RAM).is_err(), "cut off at {len:#x}");
    }
}
