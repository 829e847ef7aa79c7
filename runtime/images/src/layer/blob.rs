//! The blob writer.

use std::io::{self, Read, Write};

use crate::copy::{CHUNK, CopyError, copy};
use crate::tree::Extent;

/// Every file's data starts at a multiple of this (the block size of our EROFS images, and a page).
pub const PAGE: u64 = 4096;

/// A blob that grows file by file.
pub struct Blob<W> {
    out: W,
    len: u64,
    buffer: Vec<u8>,
}

impl<W: Write> Blob<W> {
    /// An empty blob.
    pub fn new(out: W) -> Self {
        Self { out, len: 0, buffer: vec![0; CHUNK] }
    }

    /// Append what `data` gives, up to `limit` bytes, and fill up the last page with zeros.
    pub fn append(&mut self, data: &mut impl Read, limit: u64) -> Result<Extent, CopyError> {
        let offset = self.len;
        let size = copy(data, &mut self.out, limit, &mut self.buffer)?;
        let padding = (size.wrapping_neg() % PAGE) as usize;
        self.out.write_all(&[0; PAGE as usize][..padding]).map_err(CopyError::Write)?;
        self.len += size + padding as u64;
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
