//! A read-only disk made of parts of files, laid end to end.
//!
//! This is what lets many images share their layers: a disk is a few pages of metadata of its own, then the blobs.

use std::fs::File;
use std::io;

use vm_memory::VolatileSlice;

use super::{Disk, scatter};

/// `length` bytes at `offset` of a file.
#[derive(Debug)]
pub struct Part {
    /// The open file.
    pub file: File,
    /// Where the part starts in it.
    pub offset: u64,
    /// How long it is.
    pub length: u64,
}

/// Why parts can't be stitched.
#[derive(Debug, thiserror::Error)]
pub enum StitchError {
    /// The file can't be asked for its length.
    #[error("part {index}: {error}")]
    File {
        /// Which part, from 0.
        index: usize,
        /// What the system said.
        error: io::Error,
    },
    /// A part that is empty or reaches past the end of its file.
    #[error(
        "part {index}: bytes {offset}..+{length} must be some bytes inside the file's {file_len}"
    )]
    Range {
        /// Which part, from 0.
        index: usize,
        /// Where it starts.
        offset: u64,
        /// How long it is.
        length: u64,
        /// How long its file is.
        file_len: u64,
    },
    /// The parts are longer than any disk.
    #[error("part {index}: the disk must be below 2^64 bytes")]
    TooLong {
        /// The part that made it so, from 0.
        index: usize,
    },
}

/// The parts, and where each stands on the disk.
#[derive(Debug)]
pub struct StitchedDisk {
    parts: Vec<(u64, Part)>,
    len: u64,
}

impl StitchedDisk {
    /// Lays `parts` end to end.
    pub fn new(parts: Vec<Part>) -> Result<Self, StitchError> {
        let mut disk = Self { parts: Vec::with_capacity(parts.len()), len: 0 };
        for (index, part) in parts.into_iter().enumerate() {
            let Part { offset, length, .. } = part;
            let metadata = part.file.metadata();
            let file_len = metadata.map_err(|error| StitchError::File { index, error })?.len();
            if length == 0 || offset.checked_add(length).is_none_or(|end| end > file_len) {
                return Err(StitchError::Range { index, offset, length, file_len });
            }
            let end = disk.len.checked_add(length).ok_or(StitchError::TooLong { index })?;
            disk.parts.push((disk.len, part));
            disk.len = end;
        }
        Ok(disk)
    }

    /// The part that byte `offset` of the disk is in, and those after it.
    fn parts_from(&self, offset: u64) -> &[(u64, Part)] {
        let after = self.parts.partition_point(|(start, _)| *start <= offset);
        &self.parts[after.saturating_sub(1)..]
    }
}

impl Disk for StitchedDisk {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&mut self, mut offset: u64, buffers: &[VolatileSlice]) -> io::Result<()> {
        let mut buffers = buffers.to_vec();
        for (start, part) in self.parts_from(offset) {
            let inside = offset - start;
            let (here, rest) = split(&buffers, part.length.saturating_sub(inside));
            scatter::read_at(&part.file, part.offset + inside, &here)?;
            if rest.is_empty() {
                return Ok(());
            }
            buffers = rest;
            offset = start + part.length;
        }
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

/// Cuts `buffers`, laid end to end, after `len` bytes.
fn split<'a>(
    buffers: &[VolatileSlice<'a>],
    mut len: u64,
) -> (Vec<VolatileSlice<'a>>, Vec<VolatileSlice<'a>>) {
    let (mut front, mut rest) = (Vec::with_capacity(buffers.len()), Vec::new());
    for buffer in buffers {
        let here = len.min(buffer.len() as u64) as usize;
        len -= here as u64;
        if let Ok((head, tail)) = buffer.split_at(here) {
            front.push(head);
            if !tail.is_empty() {
                rest.push(tail);
            }
        }
    }
    (front, rest)
}
