//! gzip and zstd, told by their first bytes, as docker does: media types are sometimes wrong.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use crate::limits;

/// RFC 1952 §2.3.1.
const GZIP: &[u8] = &[0x1f, 0x8b];

/// RFC 8878 §3.1.1; the number of a skippable frame (§3.1.2) also starts a zstd stream.
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// Which compression data is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Compression {
    /// Tell by the first bytes.
    pub fn of(start: &[u8]) -> Self {
        let skippable = matches!(start, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]);
        if start.starts_with(GZIP) {
            Self::Gzip
        } else if start.starts_with(ZSTD) || skippable {
            Self::Zstd
        } else {
            Self::None
        }
    }
}

/// The uncompressed data of `input`, whatever its compression.
pub enum Decompressor<R: Read> {
    None(BufReader<R>),
    Gzip(Box<MultiGzDecoder<BufReader<R>>>),
    Zstd(Box<Zstd<BufReader<R>>>),
}

impl<R: Read> Decompressor<R> {
    pub fn new(input: R) -> io::Result<Self> {
        let mut input = BufReader::with_capacity(128 << 10, input);
        Ok(match Compression::of(input.fill_buf()?) {
            Compression::None => Self::None(input),
            Compression::Gzip => Self::Gzip(Box::new(MultiGzDecoder::new(input))),
            Compression::Zstd => Self::Zstd(Box::new(Zstd::new(input))),
        })
    }

    /// Which compression the input is in.
    pub fn compression(&self) -> Compression {
        match self {
            Self::None(_) => Compression::None,
            Self::Gzip(_) => Compression::Gzip,
            Self::Zstd(_) => Compression::Zstd,
        }
    }

    /// The input, to read what the decompressor left of it.
    pub fn into_inner(self) -> BufReader<R> {
        match self {
            Self::None(input) => input,
            Self::Gzip(decoder) => decoder.into_inner(),
            Self::Zstd(decoder) => decoder.input,
        }
    }
}

impl<R: Read> Read for Decompressor<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::None(input) => input.read(buf),
            Self::Gzip(decoder) => decoder.read(buf),
            Self::Zstd(decoder) => decoder.read(buf),
        }
    }
}

/// A zstd stream: any number of frames, some of which are to be skipped (`zstd:chunked` keeps its table of
/// contents in one).
pub struct Zstd<R> {
    input: R,
    decoder: FrameDecoder,
    in_frame: bool,
}

impl<R: BufRead> Zstd<R> {
    fn new(input: R) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(limits::ZSTD_WINDOW);
        Self { input, decoder, in_frame: false }
    }

    /// Go to the next frame with data; `false` at the end of the stream.
    fn next_frame(&mut self) -> io::Result<bool> {
        while !self.input.fill_buf()?.is_empty() {
            match self.decoder.reset(&mut self.input) {
                Ok(()) => {
                    self.in_frame = true;
                    return Ok(true);
                }
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let wanted = u64::from(length);
                    let mut frame = self.input.by_ref().take(wanted);
                    if io::copy(&mut frame, &mut io::sink())? < wanted {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
        Ok(false)
    }
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        loop {
            if !self.in_frame && !self.next_frame()? {
                return Ok(0);
            }
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                let strategy = BlockDecodingStrategy::UptoBlocks(1);
                self.decoder.decode_blocks(&mut self.input, strategy).map_err(io::Error::other)?;
            }
            match self.decoder.read(buf)? {
                0 => self.in_frame = false,
                count => return Ok(count),
            }
        }
    }
}
