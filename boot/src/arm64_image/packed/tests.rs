use std::io::Write;

use proptest::prelude::*;

use super::*;

fn image() -> Vec<u8> {
    let mut image: Vec<u8> = (0..5000u32).map(|i| (i / 9) as u8).collect();
    image[56..60].copy_from_slice(b"ARM\x64");
    image
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn zstd(plain: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(plain, ruzstd::encoding::CompressionLevel::Fastest)
}

/// An EFI zboot image with the payload at 0x100; what follows it is not of the stream.
fn zboot(payload: &[u8], compression: &[u8]) -> Vec<u8> {
    let mut bytes = b"MZ\0\0zimg\0\x01\0\0".to_vec();
    bytes.extend((payload.len() as u32).to_le_bytes());
    bytes.extend([0; 8]);
    bytes.extend(compression);
    bytes.resize(0x100, 0);
    bytes.extend(payload);
    bytes.extend(5000u32.to_le_bytes());
    bytes.extend([0xCC; 64]);
    bytes
}

#[test]
fn each_way_to_pack_gives_the_image_back() {
    for packed in [
        gzip(&image()),
        zstd(&image()),
        zboot(&gzip(&image()), b"gzip"),
        zboot(&zstd(&image()), b"zstd22"),
    ] {
        assert!(is_packed(&packed[..64]));
        assert!(extract_image(&packed).unwrap() == image());
    }
    assert!(!is_packed(&image()));
}

#[test]
fn every_fault_is_named() {
    let fault = |bytes: &[u8]| extract_image(bytes).unwrap_err().to_string();
    assert!(fault(b"#!/bin/sh").contains("not compressed in a known way"));
    let packed = zboot(&gzip(&image()), b"gzip");
    let payload_end = packed.len() - 68;
    let cut = fault(&packed[..payload_end - 1]);
    assert!(cut.contains(&format!("ends at byte {payload_end}, but the file has")), "{cut}");
    let unknown = fault(&zboot(b"\x5D\0\0\x80\0", b"lzma"));
    assert!(unknown.contains("compressed by \"lzma\"; known are gzip, zstd"), "{unknown}");
    assert!(fault(&zboot(b"", b"\x1B[2J")).contains(r#"by "\x1b[2J""#));
    assert!(fault(&gzip(b"#!/bin/sh\n")).contains("no arm64 Image: no \"ARM\\x64\" at 0x38; it"));
    let gzip = gzip(&image());
    assert!(fault(&gzip[..gzip.len() - 1]).contains("damaged or truncated gzip"));
}

proptest! {
    #[test]
    fn damage_never_panics(
        hits in prop::collection::vec((0usize..0x140, any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut packed = zboot(&gzip(&image()), b"gzip");
        for (at, value) in hits {
            packed[at] = value;
        }
        let _ = extract_image(&packed);
        let _ = extract_image(&packed[..cut.index(packed.len())]);
    }
}
