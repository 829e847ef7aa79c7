use std::io::Write;

use proptest::prelude::*;

use super::*;

fn elf() -> Vec<u8> {
    let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
    elf.extend((0..5000u32).map(|i| (i / 9) as u8));
    elf
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn zstd_with_size(plain: &[u8]) -> Vec<u8> {
    let level = ruzstd::encoding::CompressionLevel::Fastest;
    let mut packed = ruzstd::encoding::compress_to_vec(plain, level);
    packed.extend((plain.len() as u32).to_le_bytes());
    packed
}

/// A bzImage with 2 setup sectors and the payload 100 bytes behind them.
fn image(payload: &[u8]) -> Vec<u8> {
    let mut image = vec![0; 3 * 512 + 100];
    image[SETUP_SECTS] = 2;
    image[BOOT_FLAG..BOOT_FLAG + 2].copy_from_slice(&[0x55, 0xaa]);
    image[MAGIC..MAGIC + 4].copy_from_slice(b"HdrS");
    image[VERSION..VERSION + 2].copy_from_slice(&0x20f_u16.to_le_bytes());
    image[PAYLOAD_OFFSET..PAYLOAD_OFFSET + 4].copy_from_slice(&100_u32.to_le_bytes());
    let len = (payload.len() as u32).to_le_bytes();
    image[PAYLOAD_LENGTH..PAYLOAD_LENGTH + 4].copy_from_slice(&len);
    image.extend(payload);
    image.extend([0xcc; 64]);
    image
}

#[test]
fn each_way_to_pack_gives_the_elf_back() {
    for payload in [gzip(&elf()), zstd_with_size(&elf()), elf()] {
        assert!(extract_vmlinux(&image(&payload)).unwrap() == elf());
    }
}

#[test]
fn zero_setup_sectors_mean_four() {
    let mut old = image(&elf());
    old[SETUP_SECTS] = 0;
    old.splice(512..512, [0; 1024]);
    // The insertion moved the rest of the header; copy it back.
    let header: Vec<u8> = old[512 + 1024..512 + 1024 + 0x50].to_vec();
    old[512..512 + 0x50].copy_from_slice(&header);
    assert!(extract_vmlinux(&old).unwrap() == elf());
}

/// An error and its causes, as the command prints them.
fn words(error: &dyn std::error::Error) -> String {
    let cause = error.source().map(|cause| format!(": {}", words(cause)));
    format!("{error}{}", cause.unwrap_or_default())
}

#[test]
fn the_cause_of_damage_is_said_once() {
    let mut packed = gzip(&elf());
    // A byte of the stream's CRC32 (RFC 1952 §2.3.1).
    let crc = packed.len() - 8;
    packed[crc] ^= 1;
    let error = extract_vmlinux(&image(&packed)).unwrap_err();
    let cause = std::error::Error::source(&error).and_then(|error| error.source()).unwrap();
    let expected = format!("bzImage: payload: damaged or truncated gzip data: {cause}");
    assert_eq!(words(&error), expected);
}

#[test]
fn every_fault_is_named() {
    let fault = |image: &[u8]| words(&extract_vmlinux(image).unwrap_err());
    assert!(fault(b"#!/bin/sh").contains("not a bzImage"));
    assert!(fault(&image(b"")[..0x230]).contains("ends at byte 592, but the file has 560"));

    let mut old = image(&elf());
    old[VERSION] = 7;
    assert!(fault(&old).contains("boot protocol 2.07"));

    let cut = image(&gzip(&elf()));
    assert!(fault(&cut[..cut.len() - 65]).contains("truncated or damaged"));
    assert!(fault(&image(b"")).contains("begins with []"));
    assert!(fault(&image(&gzip(b"#!/bin/sh\n"))).contains("not a 64-bit ELF"));

    let mut huge = zstd_with_size(&elf());
    let word = huge.len() - 4;
    huge[word..].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(fault(&image(&huge)).contains("4294967295 bytes"));
    huge[word..].copy_from_slice(&6000_u32.to_le_bytes());
    assert!(fault(&image(&huge)).contains("unfolds to 5007 bytes, but its last word says 6000"));
    huge[word..].copy_from_slice(&4000_u32.to_le_bytes());
    assert!(fault(&image(&huge)).contains("more than 4000 bytes"));
}

proptest! {
    #[test]
    fn damage_never_panics(
        hits in prop::collection::vec((0usize..0x260, any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut image = image(&gzip(&elf()));
        for (at, value) in hits {
            image[at] = value;
        }
        let _ = extract_vmlinux(&image);
        let _ = extract_vmlinux(&image[..cut.index(image.len())]);
    }
}
