//! gzip and bzip2: streams that may stand one behind the other.

use std::io::{self, BufRead, Read};

use bzip2::bufread::BzDecoder;
use flate2::bufread::GzDecoder;

use super::{BZIP2, GZIP};

/// What decompresses one stream.
pub trait Member: Read {
    /// What its data comes from.
    type Input: BufRead;

    /// How a stream begins.
    const MAGIC: &'static [u8];

    /// Begin a stream.
    fn begin(input: Self::Input) -> Self;

    /// What follows the stream.
    fn end(self) -> Self::Input;
}

impl<R: BufRead> Member for GzDecoder<R> {
    type Input = R;
    const MAGIC: &'static [u8] = GZIP;

    fn begin(input: R) -> Self {
        Self::new(input)
    }

    fn end(self) -> R {
        self.into_inner()
    }
}

impl<R: BufRead> Member for BzDecoder<R> {
    type Input = R;
    const MAGIC: &'static [u8] = BZIP2;

    fn begin(input: R) -> Self {
        Self::new(input)
    }

    fn end(self) -> R {
        self.into_inner()
    }
}

/// All streams as one. What follows the last and does not begin like another one, zeros from a tape as a rule, is left
/// alone, as gzip(1) and bzip2(1) do.
pub enum Members<M: Member> {
    Reading(M),
    Ended(M::Input),
    /// Only while one gives way to the next.
    Between,
}

impl<M: Member> Members<M> {
    /// Read from the start of a stream.
    pub fn new(input: M::Input) -> Self {
        Self::Reading(M::begin(input))
    }

    /// The input, to read what is left of it.
    pub fn into_inner(self) -> M::Input {
        match self {
            Self::Reading(member) => member.end(),
            Self::Ended(input) => input,
            Self::Between => unreachable!("nothing that gives way is given away"),
        }
    }

    /// Go on behind a stream that is over.
    fn next(&mut self) -> io::Result<()> {
        let mut input = std::mem::replace(self, Self::Between).into_inner();
        // Of a start at a buffer's edge, what is seen has to do.
        let more = input.fill_buf().map(|start| {
            let len = start.len().min(M::MAGIC.len());
            len > 0 && start[..len] == M::MAGIC[..len]
        });
        *self = match more {
            Ok(true) => Self::new(input),
            _ => Self::Ended(input),
        };
        more.map(drop)
    }
}

impl<M: Member> Read for Members<M> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        loop {
            let Self::Reading(member) = self else { return Ok(0) };
            match member.read(buf)? {
                0 => self.next()?,
                count => return Ok(count),
            }
        }
    }
}
