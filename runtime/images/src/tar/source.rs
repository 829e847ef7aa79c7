//! Where an archive's bytes come from.

use std::io::{self, Read, Seek};

/// A source whose bytes can be passed over.
pub trait Source: Read + Sized {
    /// Pass over `len` bytes; how many of them there were.
    fn skip(&mut self, len: u64) -> io::Result<u64> {
        io::copy(&mut self.by_ref().take(len), &mut io::sink())
    }
}

/// A stream that can only be read on.
pub struct Stream<R>(pub R);

impl<R: Read> Read for Stream<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
}

impl<R: Read> Source for Stream<R> {}

/// A file in which the reader jumps from header to header.
pub struct Seekable {
    file: io::BufReader<std::fs::File>,
    len: u64,
    position: u64,
}

impl Seekable {
    /// Read `file` from its start.
    pub fn new(mut file: std::fs::File) -> io::Result<Self> {
        let len = file.seek(io::SeekFrom::End(0))?;
        file.rewind()?;
        Ok(Self { file: io::BufReader::new(file), len, position: 0 })
    }
}

impl Read for Seekable {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buf)?;
        self.position += count as u64;
        Ok(count)
    }
}

impl Source for Seekable {
    fn skip(&mut self, len: u64) -> io::Result<u64> {
        let len = len.min(self.len.saturating_sub(self.position));
        self.file.seek_relative(len as i64)?;
        self.position += len;
        Ok(len)
    }
}
