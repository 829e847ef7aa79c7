//! Kernels made up here, right ones and broken ones.

mod builder;
mod properties;

use super::*;
use crate::source::ReadError;
use crate::testing::file;
use builder::{Elf, Load};

const RAM: [Range<u64>; 2] = [0..0x1000_0000, 0x1_0000_0000..0x1_1000_0000];

fn parse_elf(elf: &Elf) -> Result<Kernel, ElfError> {
    parse(&file(&elf.bytes()), &RAM)
}

/// The message with which `elf` is refused.
fn refusal(elf: &Elf) -> String {
    parse_elf(elf).expect_err("should be refused").to_string()
}

#[test]
fn a_pvh_kernel_is_planned() {
    let elf = Elf { pvh: Some(0x100_0040), ..Elf::linux() };
    let kernel = parse_elf(&elf).unwrap();
    assert_eq!(kernel.entry, Entry::Pvh { eip: 0x100_0040 });
    let [text, data] = kernel.segments[..] else { panic!("{kernel:?}") };
    assert_eq!((text.gpa, text.file_len, text.mem_len), (0x100_0000, 0x1800, 0x1800));
    assert_eq!((data.gpa, data.file_len, data.mem_len), (0x120_0000, 0x900, 0x4000));
    assert_eq!(kernel.end, 0x120_4000);
}

#[test]
fn without_a_note_the_plain_entry_is_taken() {
    let kernel = parse_elf(&Elf::linux()).unwrap();
    assert_eq!(kernel.entry, Entry::Linux64 { rip: 0x100_0000 });
    // A note of four bytes, as a 32-bit assembler makes it, is right too.
    let elf = Elf { pvh: Some(0x100_0040), pvh_len: 4, ..Elf::linux() };
    assert_eq!(parse_elf(&elf).unwrap().entry, Entry::Pvh { eip: 0x100_0040 });
}

#[test]
fn other_files_are_named() {
    let refuse = |bytes: &[u8]| parse(&file(bytes), &RAM).unwrap_err().to_string();
    assert!(refuse(b"").contains("0 bytes, too short for its ELF header"));
    assert!(refuse(&[b'#'; 100]).contains("starts with [23, 23, 23, 23]"));
    let mut bz_image = vec![0; 0x400];
    bz_image[0x202..0x206].copy_from_slice(b"HdrS");
    assert!(refuse(&bz_image).contains("unpacked on the host first; `bulkhead run"));
    let mut arm64 = vec![0; 64];
    arm64[56..60].copy_from_slice(b"ARM\x64");
    assert!(refuse(&arm64).contains("for aarch64"));
}

#[test]
fn a_header_that_does_not_fit_is_refused_field_by_field() {
    let change = |offset: usize, value: u16| {
        let mut bytes = Elf::linux().bytes();
        bytes[offset..offset + 2].copy_from_slice(&value.to_le_bytes());
        parse(&file(&bytes), &RAM).unwrap_err().to_string()
    };
    assert!(change(4, 0x0101).contains("32-bit ELF"));
    assert!(change(4, 0x0107).contains("unknown ELF class 7"));
    assert!(change(4, 0x0202).contains("encoding 2"));
    assert!(change(16, 3).contains("position-independent"));
    assert!(change(18, 183).contains("for aarch64: this guest needs one for x86_64"));
    assert!(change(18, 999).contains("for machine 999"));
    assert!(change(54, 32).contains("32 bytes each"));
    assert!(change(56, 0).contains("0 program headers"));
    assert!(change(56, 65).contains("65 program headers"));
    assert!(change(32, 0xF000).contains("too short for its program headers at 0xf000"));
}

#[test]
fn a_truncated_kernel_is_refused() {
    let bytes = Elf { pvh: Some(0x100_0040), ..Elf::linux() }.bytes();
    for len in [10, 63, 64, 100, 0x1000, bytes.len() - 1] {
        let error = parse(&file(&bytes[..len]), &RAM).unwrap_err();
        assert!(matches!(error, ElfError::Read(ReadError::Truncated { .. })), "{len}: {error}");
    }
}

#[test]
fn segments_must_have_ram_of_their_own() {
    let with = |gpa, mem_len| {
        let mut elf = Elf::linux();
        elf.loads.push(Load { gpa, file_len: 0x10, mem_len });
        elf
    };
    assert!(parse_elf(&with(0x1_0000_0000, 0x1000)).is_ok());
    let cases = [
        (with(0x130_0000, 0xF), "p_filesz must not exceed p_memsz"),
        (with(u64::MAX - 0xF, 0x20), "wraps around"),
        (with(0xF_F000, 0x1000), "low memory"),
        (
            with(0x5000_0000, 0x1000),
            "RAM is too small for the kernel: it needs 1281 MiB, the guest has 512",
        ),
        (with(0xFFF_F000, 0x1001), "needs 257 MiB"),
        (with(0xFEE0_0000, 0x1000), "is not in RAM: RAM is 0x0..0x10000000 and 0x100000000.."),
        (with(0x1_0FFF_F000, 0x1001), "is not in RAM"),
        (with(0x120_3FFF, 0x1000), "segments 1 and 2 overlap at 0x1203fff"),
        (with(0xFF_FFFF, 0x100), "segments 2 and 0 overlap"),
    ];
    for (elf, message) in cases {
        let refusal = refusal(&elf);
        assert!(refusal.contains(message), "{refusal}");
        assert!(!refusal.contains('\n'));
    }
    assert!(refusal(&Elf { loads: vec![], ..Elf::linux() }).contains("no segment to load"));
}

#[test]
fn the_entry_must_be_in_the_file() {
    let entry = |entry| refusal(&Elf { entry, ..Elf::linux() });
    assert!(entry(0xFFFF_FFFF_8100_0000).contains("64-bit entry point 0xffffffff81000000"));
    assert!(entry(0x100_1800).contains("in no segment"));
    // In the zeros after a segment's bytes.
    assert!(entry(0x120_0900).contains("in no segment"));
    let elf = Elf { pvh: Some(0x200_0000), ..Elf::linux() };
    assert!(refusal(&elf).contains("PVH entry point 0x2000000"));
    let elf = Elf { pvh: Some(0x1_0000_0000), ..Elf::linux() };
    assert!(refusal(&elf).contains("above 4 GiB"));
}

#[test]
fn notes_are_bounded() {
    let elf = Elf { pvh: Some(0x100_0040), pvh_len: 5, ..Elf::linux() };
    assert!(refusal(&elf).contains("holds 5 bytes: it must hold 4 or 8"));
    let elf = Elf { pvh: Some(0x100_0040), ..Elf::linux() };
    let offset = elf.note_offset();
    for field in [0, 4] {
        let mut bytes = elf.bytes();
        bytes[offset + field..offset + field + 4].copy_from_slice(&[0xFF; 4]);
        let error = parse(&file(&bytes), &RAM).unwrap_err().to_string();
        assert!(error.contains(&format!("note at {offset:#x}")), "{error}");
    }
    let elf = Elf { pvh: Some(0x100_0040), note_padding: 65 << 10, ..Elf::linux() };
    assert!(refusal(&elf).contains("at most 65536 are read"));
}
