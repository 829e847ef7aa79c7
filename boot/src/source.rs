//! A kernel file and its length, for reads that are checked against it.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;

/// A part of a kernel file that can't be had.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system refuses.
    #[error("can't read the kernel's {what}: {error}")]
    Failed {
        /// The part.
        what: &'static str,
        /// What the system said.
        error: io::Error,
    },
    /// The file ends before it.
    #[error(
        "the kernel is {file_len} bytes, too short for its {what} at {offset:#x} of {len} bytes: \
         the file is truncated"
    )]
    Truncated {
        /// The part.
        what: &'static str,
        /// Where it starts.
        offset: u64,
        /// Its length in bytes.
        len: u64,
        /// The file's length in bytes.
        file_len: u64,
    },
}

pub struct Source<'a> {
    file: &'a File,
    len: u64,
}

impl<'a> Source<'a> {
    pub fn new(file: &'a File) -> Result<Self, ReadError> {
        let failed = |error| ReadError::Failed { what: "size", error };
        Ok(Source { file, len: file.metadata().map_err(failed)?.len() })
    }

    pub fn len(&self) -> u64 {
        self.len
    }

    /// Says whether `len` bytes at `offset` are all in the file.
    pub fn check(&self, what: &'static str, offset: u64, len: u64) -> Result<(), ReadError> {
        match offset.checked_add(len) {
            Some(end) if end <= self.len => Ok(()),
            _ => Err(ReadError::Truncated { what, offset, len, file_len: self.len }),
        }
    }

    pub fn read(&self, what: &'static str, offset: u64, len: u64) -> Result<Vec<u8>, ReadError> {
        self.check(what, offset, len)?;
        let mut bytes = vec![0; len as usize];
        self.file.read_exact_at(&mut bytes, offset).map_err(|error| match error.kind() {
            // The file became shorter since its length was taken.
            ErrorKind::UnexpectedEof => {
                ReadError::Truncated { what, offset, len, file_len: self.len }
            }
            _ => ReadError::Failed { what, error },
        })?;
        Ok(bytes)
    }
}
