//! The blob writer.

use std::fs::File;
use std::io::{self, Read};

use super::Room;
use crate::copy::{CHUNK, CopyError, copy};
use crate::tar::{Reader, Source};
use crate::tree::Extent;

/// Every file's data starts at a multiple of this (the block size of our EROFS images, and a page).
pub const PAGE: u64 = 4096;

/// A file's data, of which some zeros need not be read.
pub trait Data: Read {
    /// How many zeros come next that can be passed over.
    fn hole(&mut self) -> u64 {
        0
    }

    /// Pass over so many of them.
    fn pass_hole(&mut self, _count: u64) {}
}

impl Data for File {}

impl<S: Source> Data for Reader<S> {
    fn hole(&mut self) -> u64 {
        Reader::hole(self)
    }

    fn pass_hole(&mut self, count: u64) {
        Reader::pass_hole(self, count);
    }
}

/// A blob that grows file by file.
pub struct Blob<W> {
    out: W,
    len: u64,
    buffer: Vec<u8>,
}

impl<W: Room> Blob<W> {
    /// An empty blob.
    pub fn new(out: W) -> Self {
        Self { out, len: 0, buffer: vec![0; CHUNK] }
    }

    /// Append what `data` gives, up to `limit` bytes, and fill up the last page with zeros.
    pub fn append(&mut self, data: &mut impl Data, limit: u64) -> Result<Extent, CopyError> {
        let offset = self.len;
        let mut size = 0;
        while size < limit {
            let hole = data.hole().min(limit - size);
            if hole > 0 {
                self.out.write_zeros(hole).map_err(CopyError::Write)?;
                data.pass_hole(hole);
                size += hole;
                continue;
            }
            let most = (limit - size).min(CHUNK as u64);
            match copy(data, &mut self.out, most, &mut self.buffer)? {
                0 => break,
                copied => size += copied,
            }
        }
        let padding = size.wrapping_neg() % PAGE;
        self.out.write_zeros(padding).map_err(CopyError::Write)?;
        self.len += size + padding;
        Ok(Extent { layer: 0, offset, size })
    }

    /// The length so far, a multiple of [`PAGE`].
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Hand over what is still buffered.
    pub fn finish(mut self) -> io::Result<u64> {
        self.out.flush()?;
        Ok(self.len)
    }
}
