//! Decompression of what distributions compress: kernels and kernel modules. It happens once, on the host.
//!
//! The format is told by its first bytes. Several streams of one format may follow each other, as `cat a.gz b.gz` makes
//! them; anything else after a stream is an error, so nothing is left out silently. The caller sets a limit for the output: a
//! small file that unfolds to terabytes ends there.

mod lz4;
#[cfg(test)]
mod tests;

use std::io::{self, Read};

use ruzstd::decoding::{FrameDecoder, StreamingDecoder};

/// The largest look-back window that the compressors' own limits allow a kernel: 128 MiB (`zstd -22 --ultra`, and
/// `dict=128MiB` in Linux's scripts/xz_wrap.sh), and what a decoder needs besides.
const WINDOW_LIMIT: u64 = 128 << 20;
const XZ_MEMORY_KIB: u32 = 160 << 10;

/// A compression format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
    /// LZ4 frame format, and the older one of the `lz4` tool's `-l`, which Linux uses.
    Lz4,
    /// The .xz file format 1.2.
    Xz,
}

impl Format {
    /// Tells the format by its magic bytes.
    pub fn detect(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Zstd),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Self::Xz),
            _ if lz4::is_frame(bytes) || lz4::is_legacy(bytes) => Some(Self::Lz4),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Lz4 => "lz4",
            Self::Xz => "xz",
        }
    }
}

/// Why data can't be decompressed.
#[derive(Debug, thiserror::Error)]
pub enum DecompressError {
    /// The first bytes are none of the magics.
    #[error(
        "not compressed in a known way: it begins with {magic:02x?}; known are gzip, zstd, lz4 and xz"
    )]
    UnknownFormat {
        /// Up to 6 bytes from the beginning.
        magic: Vec<u8>,
    },
    /// The stream breaks the format's rules or is cut off.
    #[error("damaged or truncated {} data", format.name())]
    Damaged {
        /// The format.
        format: Format,
        /// What the decoder says.
        source: io::Error,
    },
    /// The output would be too long.
    #[error("{} data unfolds to more than {limit} bytes", format.name())]
    TooLarge {
        /// The format.
        format: Format,
        /// The caller's limit.
        limit: usize,
    },
    /// There is something after the stream.
    #[error("{len} bytes that are no {} data follow the compressed stream", format.name())]
    Trailing {
        /// The format.
        format: Format,
        /// How many bytes.
        len: usize,
    },
}

/// Decompresses all of `bytes`, to at most `limit` bytes.
pub fn decompress(bytes: &[u8], limit: usize) -> Result<Vec<u8>, DecompressError> {
    let format = Format::detect(bytes).ok_or_else(|| DecompressError::UnknownFormat {
        magic: bytes[..bytes.len().min(6)].to_vec(),
    })?;
    let mut rest = bytes;
    let mut out = Vec::new();
    while !rest.is_empty() {
        if Format::detect(rest) != Some(format) {
            return Err(DecompressError::Trailing { format, len: rest.len() });
        }
        // One byte more than may be, to tell "just fits" from "too large".
        let room = (limit - out.len()).saturating_add(1);
        decompress_stream(format, &mut rest, &mut out, room as u64)
            .map_err(|source| DecompressError::Damaged { format, source })?;
        if out.len() > limit {
            return Err(DecompressError::TooLarge { format, limit });
        }
    }
    Ok(out)
}

/// Appends one stream's output, but at most `room` bytes. After a whole stream `rest` is what follows it.
fn decompress_stream(
    format: Format,
    rest: &mut &[u8],
    out: &mut Vec<u8>,
    room: u64,
) -> io::Result<()> {
    match format {
        Format::Gzip => flate2::bufread::GzDecoder::new(rest).take(room).read_to_end(out).map(drop),
        Format::Zstd => zstd(rest, out, room),
        Format::Lz4 if lz4::is_legacy(rest) => lz4::legacy(rest, out, room),
        Format::Lz4 => lz4::frame(rest, out, room),
        Format::Xz => {
            let reader = lzma_rust2::XzReader::new_mem_limit(rest, false, XZ_MEMORY_KIB);
            reader.take(room).read_to_end(out).map(drop)
        }
    }
}

/// One frame. The decoder computes the checksum, comparing it is left to its caller.
fn zstd(rest: &mut &[u8], out: &mut Vec<u8>, room: u64) -> io::Result<()> {
    let mut decoder: StreamingDecoder<_, FrameDecoder> =
        StreamingDecoder::new_with_max_window_size(rest, WINDOW_LIMIT).map_err(io::Error::other)?;
    let got = decoder.by_ref().take(room).read_to_end(out)?;
    let frame = &decoder.decoder;
    let stated = frame.get_checksum_from_data();
    if (got as u64) < room && stated.is_some() && stated != frame.get_calculated_checksum() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the checksum does not match"));
    }
    Ok(())
}
