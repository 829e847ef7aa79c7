use std::io::Write;
use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::*;

/// The same text in every container. Made by the formats' own Rust encoders.
fn samples(plain: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(plain).unwrap();
    let zstd =
        ruzstd::encoding::compress_to_vec(plain, ruzstd::encoding::CompressionLevel::Fastest);
    let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
    lz4.write_all(plain).unwrap();
    let mut legacy = LEGACY.to_vec();
    for chunk in plain.chunks(8 << 20) {
        let block = lz4_flex::block::compress(chunk);
        legacy.extend((block.len() as u32).to_le_bytes());
        legacy.extend(block);
    }
    let options = lzma_rust2::XzOptions::with_preset(1);
    let mut xz = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
    xz.write_all(plain).unwrap();
    vec![
        ("gzip", gzip.finish().unwrap()),
        ("zstd", zstd),
        ("lz4", lz4.finish().unwrap()),
        ("lz4 legacy", legacy),
        ("xz", xz.finish().unwrap()),
    ]
}

const LEGACY: [u8; 4] = [0x02, 0x21, 0x4c, 0x18];

fn text(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * i / 7 % 251) as u8 & 0x3f).collect()
}

#[test]
fn every_format_unfolds_and_the_limit_is_exact() {
    let plain = text(200_000);
    for (name, packed) in samples(&plain) {
        assert!(decompress(&packed, plain.len()).unwrap() == plain, "{name}");
        let error = decompress(&packed, plain.len() - 1).unwrap_err();
        assert!(matches!(error, DecompressError::TooLarge { .. }), "{name}: {error}");
    }
}

#[test]
fn streams_follow_each_other_but_nothing_else_does() {
    let plain = text(1000);
    for (name, packed) in samples(&plain) {
        let twice = [&packed[..], &packed].concat();
        assert!(decompress(&twice, 2000).unwrap() == [&plain[..], &plain].concat(), "{name}");
        assert!(decompress(&twice, 1999).is_err(), "{name}");
        let error = decompress(&[&packed[..], b"\0\0\0\0junk"].concat(), 9999).unwrap_err();
        let legacy = name == "lz4 legacy";
        assert!(
            legacy || matches!(error, DecompressError::Trailing { len: 8, .. }),
            "{name}: {error}"
        );
    }
}

#[test]
fn every_truncation_is_an_error() {
    for (name, packed) in samples(&text(1000)) {
        // A legacy lz4 stream without blocks is an empty file.
        for len in (0..packed.len()).filter(|len| name != "lz4 legacy" || *len != 4) {
            assert!(decompress(&packed[..len], 9999).is_err(), "{name} cut to {len}");
        }
    }
}

#[test]
fn an_lz4_frame_cut_between_blocks_is_truncated() {
    let plain: Vec<u8> = text(300_000);
    let info = lz4_flex::frame::FrameInfo::new().block_size(lz4_flex::frame::BlockSize::Max64KB);
    let mut lz4 = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
    lz4.write_all(&plain).unwrap();
    let packed = lz4.finish().unwrap();
    let first = 7 + 4 + u32::from_le_bytes(packed[7..11].try_into().unwrap()) as usize;
    let error = decompress(&packed[..first], plain.len()).unwrap_err();
    assert!(matches!(error, DecompressError::Damaged { .. }), "{error}");
}

#[test]
fn unknown_data_is_named() {
    let error = decompress(b"\x7fELF....", 10).unwrap_err().to_string();
    assert!(error.contains("begins with [7f, 45, 4c, 46, 2e, 2e]"), "{error}");
}

/// A bomb: what unfolds without end stops at the limit, and needs no memory beyond it.
#[test]
fn a_bomb_stops_at_the_limit() {
    for (name, packed) in samples(&vec![0; 32 << 20]) {
        let error = decompress(&packed, 1 << 20).unwrap_err();
        assert!(matches!(error, DecompressError::TooLarge { .. }), "{name}: {error}");
    }
}

/// What the real tools write, where they are installed; their options are those of the kernel's build.
#[test]
fn the_real_tools_output_unfolds() {
    let plain = text(3_000_000);
    for (tool, args) in [
        ("gzip", &["-n", "-f", "-9"][..]),
        ("zstd", &["-q", "-22", "--ultra"]),
        ("lz4", &["-q", "-l", "-9"]),
        ("lz4", &["-q", "-9"]),
        ("xz", &["--check=crc32", "--x86", "--lzma2=dict=128MiB"]),
        ("xz", &["--check=sha256", "-1"]),
    ] {
        let mut command = Command::new(tool);
        let spawn = command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let Ok(mut child) = spawn else { continue };
        let mut stdin = child.stdin.take().unwrap();
        let input = plain.clone();
        let feeder = std::thread::spawn(move || stdin.write_all(&input));
        let packed = child.wait_with_output().unwrap().stdout;
        feeder.join().unwrap().unwrap();
        assert!(decompress(&packed, plain.len()).unwrap() == plain, "{tool} {args:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn damage_never_panics_and_never_exceeds_the_limit(
        which in 0usize..5,
        hits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        tail in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        let (_, mut packed) = samples(&text(2000)).swap_remove(which);
        for (at, value) in hits {
            let at = at.index(packed.len());
            packed[at] = value;
        }
        packed.extend(tail);
        if let Ok(out) = decompress(&packed, 5000) {
            prop_assert!(out.len() <= 5000);
        }
    }
}
