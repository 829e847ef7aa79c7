use std::io::Write;

use bzip2::write::BzEncoder;
use flate2::write::GzEncoder;
use lzma_rust2::{XzOptions, XzWriter};
use proptest::prelude::*;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use super::*;

const ALL: [Compression; 5] =
    [Compression::None, Compression::Gzip, Compression::Zstd, Compression::Xz, Compression::Bzip2];

/// A stream that unpacks to `data`.
pub fn compress(compression: Compression, data: &[u8]) -> Vec<u8> {
    match compression {
        Compression::None => data.to_vec(),
        Compression::Gzip => {
            let mut gzip = GzEncoder::new(Vec::new(), flate2::Compression::fast());
            gzip.write_all(data).unwrap();
            gzip.finish().unwrap()
        }
        Compression::Zstd => compress_to_vec(data, CompressionLevel::Fastest),
        Compression::Xz => xz(data, 1 << 16),
        Compression::Bzip2 => {
            let mut bzip2 = BzEncoder::new(Vec::new(), bzip2::Compression::fast());
            bzip2.write_all(data).unwrap();
            bzip2.finish().unwrap()
        }
    }
}

fn xz(data: &[u8], dictionary: u32) -> Vec<u8> {
    let mut options = XzOptions::with_preset(0);
    options.lzma_options.dict_size = dictionary;
    let mut xz = XzWriter::new(Vec::new(), options).unwrap();
    xz.write_all(data).unwrap();
    xz.finish().unwrap()
}

fn decompress(stream: &[u8]) -> io::Result<Vec<u8>> {
    let mut data = Vec::new();
    Decompressor::new(stream)?.read_to_end(&mut data)?;
    Ok(data)
}

#[test]
fn streams_stand_one_behind_the_other_and_may_be_empty() {
    for compression in ALL {
        let streams: Vec<Vec<u8>> =
            [&b"first "[..], b"", b"second"].map(|data| compress(compression, data)).into();
        assert_eq!(decompress(&streams.concat()).unwrap(), b"first second", "{compression:?}");
        assert_eq!(decompress(&streams[1]).unwrap(), b"", "{compression:?}");
        if compression != Compression::None {
            assert_eq!(Decompressor::new(&streams[1][..]).unwrap().compression(), compression);
            let cut = &streams[2][..streams[2].len() - 1];
            assert!(decompress(cut).is_err(), "{compression:?}");
        }
    }
}

#[test]
fn what_follows_the_last_stream_is_left() {
    for compression in [Compression::Gzip, Compression::Bzip2] {
        for rest in [&[0; 512][..], b"signature"] {
            let stream = [&compress(compression, b"data"), rest].concat();
            let mut decompressor = Decompressor::new(&stream[..]).unwrap();
            let (mut data, mut left) = (Vec::new(), Vec::new());
            decompressor.read_to_end(&mut data).unwrap();
            decompressor.into_inner().read_to_end(&mut left).unwrap();
            assert_eq!((&data[..], &left[..]), (&b"data"[..], rest), "{compression:?}");
        }
    }
    // xz(1) takes zeros only.
    let padded = [compress(Compression::Xz, b"data"), vec![0; 512]].concat();
    assert_eq!(decompress(&padded).unwrap(), b"data");
}

#[test]
fn a_tar_whose_first_name_looks_like_bzip2_is_none() {
    for name in ["BZh", "BZh.txt", "BZh9", "BZh91AY&SX"] {
        let mut record = name.as_bytes().to_vec();
        record.resize(512, 0);
        assert_eq!(Compression::of(&record), Compression::None, "{name}");
    }
}

#[test]
fn a_dictionary_takes_no_more_memory_than_it_may() {
    let largest = u32::try_from(limits::XZ_DICTIONARY).unwrap();
    assert_eq!(decompress(&with_dictionary(b"data", largest)).unwrap(), b"data");
    let error = decompress(&with_dictionary(b"data", 2 * largest)).unwrap_err();
    assert_eq!(error.to_string(), "its xz dictionary is larger than 134217728 bytes");
}

/// An xz stream that asks for a dictionary of that many bytes, a power of two (The .xz File Format §5.3.1).
fn with_dictionary(data: &[u8], size: u32) -> Vec<u8> {
    let mut stream = xz(data, 1 << 16);
    // Behind the stream's header (12 bytes): size of the block's header, flags, filter (0x21, 1 byte of properties),
    // properties.
    let at = 12 + 4;
    assert_eq!(stream[at - 2..at], [0x21, 1]);
    stream[at] = (size.trailing_zeros() as u8 - 12) * 2;
    let header = 12..12 + (usize::from(stream[12]) + 1) * 4;
    let mut crc = flate2::Crc::new();
    crc.update(&stream[header.start..header.end - 4]);
    stream[header.end - 4..header.end].copy_from_slice(&crc.sum().to_le_bytes());
    stream
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_streams_end(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..5),
        cut in any::<prop::sample::Index>(),
    ) {
        for compression in ALL {
            let mut stream = compress(compression, &b"some text ".repeat(200));
            stream.truncate(cut.index(stream.len()) + 1);
            for (at, value) in &changes {
                let at = at.index(stream.len());
                stream[at] = *value;
            }
            let Ok(decompressor) = Decompressor::new(&stream[..]) else { continue };
            let _ = decompressor.take(1 << 20).read_to_end(&mut Vec::new());
        }
    }
}
