//! gzip, zstd, xz and bzip2, told by their first bytes, as docker does: media types are sometimes wrong.

mod members;
mod zstd;

use std::io::{self, BufRead, BufReader, Read};

use bzip2::bufread::BzDecoder;
use flate2::bufread::GzDecoder;
use lzma_rust2::XzReader;

use crate::limits;
use members::Members;
use zstd::Zstd;

/// RFC 1952 §2.3.1.
const GZIP: &[u8] = &[0x1f, 0x8b];

/// RFC 8878 §3.1.1; the number of a skippable frame (§3.1.2) also starts a zstd stream.
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// The .xz File Format 1.2.1 §2.1.1.1.
const XZ: &[u8] = &[0xfd, b'7', b'z', b'X', b'Z', 0];

/// bzip2(1) calls the first three bytes magic; behind them is the size of blocks, a digit, and then a block begins, or the end.
const BZIP2: &[u8] = b"BZh";
const BZIP2_BLOCK: &[u8] = &[0x31, 0x41, 0x59, 0x26, 0x53, 0x59];
const BZIP2_END: &[u8] = &[0x17, 0x72, 0x45, 0x38, 0x50, 0x90];

/// How many bytes tell a compression.
pub const START: usize = 10;

/// What the decoder of lzma-rust2 takes beside a dictionary, and to spare.
const XZ_MEMORY: u64 = 256 << 10;

/// Which compression data is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    None,
    Gzip,
    Zstd,
    Xz,
    Bzip2,
}

impl Compression {
    /// Tell by the first [`START`] bytes. A tar begins with a file's name, which may well be `BZh.txt`.
    pub fn of(start: &[u8]) -> Self {
        let skippable = matches!(start, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]);
        let bzip2 = start.strip_prefix(BZIP2).and_then(|rest| match rest {
            [b'1'..=b'9', block @ ..] => Some(block),
            _ => None,
        });
        if start.starts_with(GZIP) {
            Self::Gzip
        } else if start.starts_with(ZSTD) || skippable {
            Self::Zstd
        } else if start.starts_with(XZ) {
            Self::Xz
        } else if bzip2.is_some_and(|b| b.starts_with(BZIP2_BLOCK) || b.starts_with(BZIP2_END)) {
            Self::Bzip2
        } else {
            Self::None
        }
    }
}

/// The uncompressed data of `input`, whatever its compression. None takes more memory than [`limits::ZSTD_WINDOW`] or
/// [`limits::XZ_DICTIONARY`] and some hundred KiB; a block of bzip2's has at most 900,000 bytes.
pub enum Decompressor<R: Read> {
    None(BufReader<R>),
    Gzip(Box<Members<GzDecoder<BufReader<R>>>>),
    Zstd(Box<Zstd<BufReader<R>>>),
    Xz(Box<XzReader<BufReader<R>>>),
    Bzip2(Box<Members<BzDecoder<BufReader<R>>>>),
}

impl<R: Read> Decompressor<R> {
    pub fn new(input: R) -> io::Result<Self> {
        let mut input = BufReader::with_capacity(128 << 10, input);
        let memory = u32::try_from((limits::XZ_DICTIONARY + XZ_MEMORY) >> 10).unwrap_or(u32::MAX);
        Ok(match Compression::of(input.fill_buf()?) {
            Compression::None => Self::None(input),
            Compression::Gzip => Self::Gzip(Box::new(Members::new(input))),
            Compression::Zstd => Self::Zstd(Box::new(Zstd::new(input))),
            Compression::Xz => Self::Xz(Box::new(XzReader::new_mem_limit(input, true, memory))),
            Compression::Bzip2 => Self::Bzip2(Box::new(Members::new(input))),
        })
    }

    /// Which compression the input is in.
    pub fn compression(&self) -> Compression {
        match self {
            Self::None(_) => Compression::None,
            Self::Gzip(_) => Compression::Gzip,
            Self::Zstd(_) => Compression::Zstd,
            Self::Xz(_) => Compression::Xz,
            Self::Bzip2(_) => Compression::Bzip2,
        }
    }

    /// The input, to read what the decompressor left of it.
    pub fn into_inner(self) -> BufReader<R> {
        match self {
            Self::None(input) => input,
            Self::Gzip(decoder) => decoder.into_inner(),
            Self::Zstd(decoder) => decoder.into_inner(),
            Self::Xz(decoder) => decoder.into_inner(),
            Self::Bzip2(decoder) => decoder.into_inner(),
        }
    }
}

impl<R: Read> Read for Decompressor<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::None(input) => input.read(buf),
            Self::Gzip(decoder) => decoder.read(buf),
            Self::Zstd(decoder) => decoder.read(buf),
            Self::Xz(decoder) => decoder.read(buf).map_err(|error| match error.kind() {
                io::ErrorKind::OutOfMemory => io::Error::other(format!(
                    "its xz dictionary is larger than {} bytes",
                    limits::XZ_DICTIONARY
                )),
                _ => error,
            }),
            Self::Bzip2(decoder) => decoder.read(buf),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
