use std::fs::File;
use std::io::Write;
use std::path::Path;

use proptest::prelude::*;
use vm_memory::{Bytes, GuestAddress, GuestMemoryBackend, GuestMemoryRegion};

use super::*;

const RAM_END: u64 = 1 << 20;
const RAM: Range<u64> = 0..RAM_END;

fn ram() -> GuestMemory {
    create(std::slice::from_ref(&RAM), HugePages::None).unwrap()
}

fn file_of(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

/// Bytes none of which looks like its neighbours, whatever the distance.
fn pattern(length: usize) -> Vec<u8> {
    (0..length as u64).map(|n| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8 | 1).collect()
}

#[test]
fn ram_has_the_ranges_asked_for_and_takes_no_memory() {
    let memory = create(&[0..2 << 30, 1 << 32..(1 << 32) + (1 << 30)], HugePages::None).unwrap();
    let regions: Vec<_> = memory.iter().map(|r| (r.start_addr().0, r.len())).collect();
    assert_eq!(regions, [(0, 2 << 30), (1 << 32, 1 << 30)]);
    memory.write_obj(7u8, GuestAddress((1 << 32) + 5)).unwrap();
    assert_eq!(memory.read_obj::<u8>(GuestAddress(5)).unwrap(), 0, "the ranges share no page");
    assert!(memory.read_obj::<u8>(GuestAddress(2 << 30)).is_err(), "the gap holds no memory");
}

/// A large page of the host can only be one of the guest's where both begin at the same offset.
#[test]
fn ram_begins_where_a_large_page_may() {
    for length in [LARGE_PAGE as u64, 3 << 20, 64 << 20, (64 << 20) + PAGE] {
        let memory = create(&[0..length, 1 << 32..(1 << 32) + length], HugePages::None).unwrap();
        for region in memory.iter() {
            assert!((region.as_ptr() as usize).is_multiple_of(LARGE_PAGE), "{length:#x}");
        }
        let last = GuestAddress((1 << 32) + length - 1);
        memory.write_obj(7u8, last).unwrap();
        assert_eq!(memory.read_obj::<u8>(last).unwrap(), 7);
    }
}

#[test]
fn whole_pages_are_mapped_and_their_edges_copied() {
    let bytes = pattern(40 * 4096);
    let memory = ram();
    let mut loader = Loader::new(&memory, HugePages::None);
    let piece = Piece { gpa: 0x3010, offset: 0x1010, length: 30 * 4096 };
    loader.load(&file_of(&bytes), Path::new("kernel"), piece).unwrap();
    assert_eq!(loader.loaded(), Loaded { mapped: 29 * 4096, copied: 4096 });
}

#[test]
fn a_kernel_is_copied_where_it_does_more_than_read_half_of_a_large_page() {
    const LARGE: u64 = LARGE_PAGE as u64;
    const END: u64 = 6 * LARGE;
    let memory = create(std::slice::from_ref(&(0..END)), HugePages::None).unwrap();
    let mut loader = Loader::new(&memory, HugePages::None);
    // From within the first large page to within the last; the third is read but for a page, the fourth by half.
    let kernel = LARGE - 32 * PAGE..END - PAGE;
    let read = [2 * LARGE + PAGE..3 * LARGE, 3 * LARGE..3 * LARGE + LARGE / 2];
    loader.expect_kernel(kernel.clone(), &read, 0..LARGE).unwrap();
    let bytes = pattern((kernel.end - kernel.start) as usize);
    let piece = Piece { gpa: kernel.start, offset: 0, length: bytes.len() as u64 };
    loader.load(&file_of(&bytes), Path::new("kernel"), piece).unwrap();
    let mapped = 32 * PAGE + LARGE + LARGE - PAGE;
    assert_eq!(loader.loaded(), Loaded { mapped, copied: 3 * LARGE });
    let mut seen = vec![0; bytes.len()];
    memory.read_slice(&mut seen, GuestAddress(kernel.start)).unwrap();
    assert!(seen == bytes);
}

#[test]
fn a_kernel_may_lie_on_both_sides_of_a_hole() {
    const LARGE: u64 = LARGE_PAGE as u64;
    let memory = create(&[0..4 * LARGE, 8 * LARGE..12 * LARGE], HugePages::None).unwrap();
    let mut loader = Loader::new(&memory, HugePages::None);
    loader.expect_kernel(LARGE..10 * LARGE, &[], 0..LARGE).unwrap();
    let bytes = pattern(LARGE_PAGE);
    for (gpa, loaded) in [
        (2 * LARGE, Loaded { mapped: 0, copied: LARGE }),
        (9 * LARGE, Loaded { mapped: LARGE, copied: LARGE }),
    ] {
        let piece = Piece { gpa, offset: 0, length: LARGE };
        loader.load(&file_of(&bytes), Path::new("kernel"), piece).unwrap();
        assert_eq!(loader.loaded(), loaded);
    }
}

#[test]
fn what_the_guest_writes_to_at_once_is_copied() {
    let bytes = pattern(64 * 4096);
    let memory = ram();
    let mut loader = Loader::new(&memory, HugePages::None);
    let piece = Piece { gpa: 0x4000, offset: 0x1000, length: 50 * 4096 };
    loader.copy(&file_of(&bytes), Path::new("initramfs"), piece).unwrap();
    assert_eq!(loader.loaded(), Loaded { mapped: 0, copied: 50 * 4096 });
    let mut seen = vec![0; 50 * 4096];
    memory.read_slice(&mut seen, GuestAddress(0x4000)).unwrap();
    assert!(seen == bytes[0x1000..][..50 * 4096]);
}

#[test]
fn what_the_guest_writes_does_not_reach_the_file() {
    let bytes = pattern(32 * 4096);
    let file = file_of(&bytes);
    for _ in 0..2 {
        let memory = ram();
        let piece = Piece { gpa: 0x2000, offset: 0, length: bytes.len() as u64 };
        Loader::new(&memory, HugePages::None).load(&file, Path::new("kernel"), piece).unwrap();
        assert_eq!(memory.read_obj::<u8>(GuestAddress(0x2000)).unwrap(), bytes[0]);
        memory.write_obj(0u8, GuestAddress(0x2000)).unwrap();
    }
}

#[test]
fn a_page_that_is_cut_off_from_a_mapped_file_reads_as_zeros() {
    let bytes = pattern(32 * 4096);
    let file = file_of(&bytes);
    let memory = ram();
    let mut loader = Loader::new(&memory, HugePages::None);
    let piece = Piece { gpa: 0x2000, offset: 0, length: bytes.len() as u64 };
    loader.load(&file, Path::new("kernel"), piece).unwrap();
    assert_eq!(loader.loaded().mapped, piece.length);
    file.set_len(10 * PAGE).unwrap();
    let read = |page: u64| memory.read_obj::<u8>(GuestAddress(0x2000 + page * PAGE + 8)).unwrap();
    assert_eq!(read(9), bytes[9 * 4096 + 8]);
    assert_eq!(read(31), 0);
    // It is the guest's own from now on.
    memory.write_obj(5u8, GuestAddress(0x2000 + 15 * PAGE)).unwrap();
    assert_eq!(memory.read_obj::<u8>(GuestAddress(0x2000 + 15 * PAGE)).unwrap(), 5);
}

#[test]
fn a_piece_outside_ram_or_past_the_end_of_the_file_is_refused_in_one_line() {
    let memory = ram();
    let file = file_of(&pattern(64 * 4096));
    for (gpa, offset, length) in [
        (RAM_END - 4096, 0, 32 * 4096),
        (RAM_END, 0, 1),
        (0, 63 * 4096, 8192),
        (u64::MAX - 10, 0, 4096),
    ] {
        let piece = Piece { gpa, offset, length };
        let error =
            Loader::new(&memory, HugePages::None).load(&file, Path::new("k"), piece).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("k: cannot put") && !text.contains('\n'), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However a piece lies, guest memory holds its bytes and zeroes around it.
    #[test]
    fn a_loaded_piece_is_the_piece(
        gpa in 0x1000u64..0x20000,
        offset in 0u64..0x4000,
        aligned: bool,
        length in 0u64..48 * 4096,
    ) {
        let offset = if aligned { offset / PAGE * PAGE + gpa % PAGE } else { offset };
        let bytes = pattern(64 * 4096);
        let memory = ram();
        let mut loader = Loader::new(&memory, HugePages::None);
        let piece = Piece { gpa, offset, length };
        loader.load(&file_of(&bytes), Path::new("f"), piece).unwrap();

        let mut seen = vec![0xAA; RAM_END as usize];
        memory.read_slice(&mut seen, GuestAddress(0)).unwrap();
        let mut expected = vec![0; RAM_END as usize];
        expected[gpa as usize..(gpa + length) as usize]
            .copy_from_slice(&bytes[offset as usize..(offset + length) as usize]);
        prop_assert!(seen == expected);
        prop_assert_eq!(loader.loaded().mapped + loader.loaded().copied, length);
    }
}
