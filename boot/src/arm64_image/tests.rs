//! Kernels made up here, right ones and broken ones.

use super::pe;
use super::*;
use crate::testing::file;
use arch::aarch64::layout::ram_ranges;
use proptest::prelude::*;
use zerocopy::IntoBytes;

/// A header of a kernel that takes 128 KiB.
fn header() -> Header {
    Header {
        code: *b"\x1F\x20\x03\xD5\0\0\0\x14",
        text_offset: 0.into(),
        image_size: 0x2_0000.into(),
        flags: 0xA.into(),
        reserved: [0.into(); 3],
        magic: MAGIC,
        pe_header: 0.into(),
    }
}

/// A kernel file of 64 KiB with this header.
fn image(header: Header) -> Vec<u8> {
    let mut bytes = header.as_bytes().to_vec();
    bytes.resize(0x1_0000, 0xCC);
    bytes
}

/// A kernel file with a PE header at 0x40 and two sections, the last of which ends where the file does.
fn efi_image() -> Vec<u8> {
    let code = *b"MZ\0\x91\0\0\0\x14";
    let mut bytes = image(Header { code, pe_header: 0x40.into(), ..header() });
    let file_header = pe::FileHeader {
        magic: *b"PE\0\0",
        sections: 2.into(),
        optional_header_size: 0xA0.into(),
        ..Default::default()
    };
    let section = |file_offset: u32, file_size: u32| pe::Section {
        file_offset: file_offset.into(),
        file_size: file_size.into(),
        ..Default::default()
    };
    let sections = [section(0x1000, 0x8000), section(0x9000, 0x7000)];
    bytes[0x40..0x58].copy_from_slice(file_header.as_bytes());
    bytes[0xF8..0x148].copy_from_slice(sections.as_bytes());
    bytes
}

fn parse_in(bytes: &[u8], ram: u64) -> Result<Kernel, ImageError> {
    parse(&file(bytes), &ram_ranges(ram))
}

/// The message with which it is refused in a guest with 64 MiB.
fn refusal(bytes: &[u8]) -> String {
    let refusal = parse_in(bytes, 64 << 20).expect_err("should be refused").to_string();
    assert!(!refusal.contains('\n'));
    refusal
}

#[test]
fn a_kernel_is_planned() {
    for bytes in [image(header()), efi_image()] {
        let kernel = parse_in(&bytes, 64 << 20).unwrap();
        let segment = Segment {
            gpa: 0x4020_0000,
            file_offset: 0,
            file_len: 0x1_0000,
            mem_len: 0x2_0000,
            writable: true,
        };
        assert_eq!(kernel, Kernel { segments: [segment], entry: 0x4020_0000, end: 0x4022_0000 });
    }
    let offset = image(Header { text_offset: 0x8_0000.into(), ..header() });
    assert_eq!(parse_in(&offset, 64 << 20).unwrap().entry, 0x4028_0000);
}

#[test]
fn the_whole_file_has_room_whatever_the_header_says() {
    let kernel = parse_in(&image(Header { image_size: 1.into(), ..header() }), 64 << 20).unwrap();
    assert_eq!(kernel.end, 0x4021_0000);
    // Before Linux 3.17.
    let old = Header { image_size: 0.into(), text_offset: 0x8_0000_0000_0000.into(), ..header() };
    let kernel = parse_in(&image(old), 64 << 20).unwrap();
    assert_eq!((kernel.entry, kernel.end), (0x4028_0000, 0x4029_0000));
}

#[test]
fn other_files_are_named() {
    let long = |start: &[u8]| [start, &[b'\n'; 0x400]].concat();
    let elf = |machine: u8| long(&[b"\x7FELF\x02\x01\x01", &[0; 11][..], &[machine, 0]].concat());
    assert!(refusal(b"").contains("0 bytes, too short for its Image header"));
    assert!(refusal(b"#!/bin/sh\n").contains("10 bytes, too short for its Image header"));
    assert!(refusal(&long(b"#!/bin/sh")).contains("starts with [23, 21, 2f, 62, 69, 6e, 2f, 73]"));
    assert!(refusal(&elf(62)).contains("a kernel for x86_64: this guest needs one for aarch64"));
    assert!(refusal(&elf(243)).contains("a kernel for riscv"));
    assert!(refusal(&elf(183)).contains("an ELF file (vmlinux)"));
    let mut bz_image = long(b"MZ");
    bz_image[0x202..0x206].copy_from_slice(b"HdrS");
    assert!(refusal(&bz_image).contains("a kernel for x86_64"));
    assert!(refusal(&long(b"\x1F\x8B\x08")).contains("compressed by gzip, not an arm64 Image"));
    assert!(refusal(&long(b"\x28\xB5\x2F\xFD")).contains("compressed by zstd"));
    assert!(refusal(&long(b"MZ\0\0zimg")).contains("EFI zboot image, not an arm64 Image"));
}

#[test]
fn a_kernel_that_cannot_work_is_refused_field_by_field() {
    let refuse = |header| refusal(&image(header));
    assert!(refuse(Header { flags: 0xB.into(), ..header() }).contains("big-endian"));
    let error = refuse(Header { image_size: (62 << 20 | 1).into(), ..header() });
    assert!(
        error.contains("65011713 bytes at 0x40200000 need 65 MiB, the guest has 64"),
        "{error}"
    );
    let text_offset = (u64::MAX - 0x4021_0000).into();
    let error = refuse(Header { text_offset, ..header() });
    assert!(error.contains("text_offset 0xffffffffbfdeffff (at 0x8)"), "{error}");
    assert!(refuse(Header { image_size: u64::MAX.into(), ..header() }).contains("wrap around"));
}

#[test]
fn a_truncated_kernel_is_refused() {
    let whole = efi_image();
    for len in [63, 0x50, 0x100, 0x8FFF, whole.len() - 1] {
        assert!(refusal(&whole[..len]).contains("truncated"), "{len:#x}");
    }
}

/// What the VMM relies on when it carries out a plan.
fn check_plan(kernel: &Kernel, file_len: usize) {
    let [segment] = kernel.segments;
    assert_eq!((segment.file_offset, segment.file_len), (0, file_len as u64));
    assert!(segment.gpa >= layout::KERNEL && segment.file_len <= segment.mem_len);
    assert_eq!((kernel.entry, kernel.end), (segment.gpa, segment.gpa + segment.mem_len));
    assert!(kernel.end <= layout::RAM_START + (64 << 20));
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..1024)) {
        refusal(&bytes);
    }

    #[test]
    fn an_arbitrary_header_around_the_magic_is_no_harm(
        mut bytes in prop::collection::vec(any::<u8>(), 64..1024),
        near in any::<bool>(),
        efi in any::<bool>(),
    ) {
        bytes[56..60].copy_from_slice(&MAGIC);
        if near {
            // Small enough for the RAM there is.
            bytes[11..16].fill(0);
            bytes[19..24].fill(0);
        }
        if efi {
            bytes[..2].copy_from_slice(b"MZ");
        }
        if let Ok(kernel) = parse_in(&bytes, 64 << 20) {
            check_plan(&kernel, bytes.len());
        }
    }

    #[test]
    fn a_mutated_kernel_is_refused_or_planned_within_ram(
        changes in prop::collection::vec((0usize..0x150, any::<u8>()), 1..6),
    ) {
        let mut bytes = efi_image();
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        match parse_in(&bytes, 64 << 20) {
            Ok(kernel) => check_plan(&kernel, bytes.len()),
            Err(error) => prop_assert!(!error.to_string().contains('\n')),
        }
    }
}
