//! A disk that is one raw file. Its bytes are never probed for a format: a guest could write one.

use std::fs::File;
use std::io::{self, ErrorKind, Seek, SeekFrom};

use libc::{FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, FALLOC_FL_ZERO_RANGE};
use vm_memory::VolatileSlice;

use super::{Disk, scatter};

/// What is written at once where the file system can't be asked for zeroes.
static ZEROES: [u8; 64 << 10] = [0; 64 << 10];

/// A disk in one file or on one block device.
#[derive(Debug)]
pub struct FileDisk {
    file: File,
    len: u64,
}

impl FileDisk {
    /// Takes an open file. Its length is that of the disk; it is asked for once.
    pub fn new(mut file: File) -> io::Result<Self> {
        // Unlike the metadata's length, this also works for a block device.
        let len = file.seek(SeekFrom::End(0))?;
        Ok(Self { file, len })
    }
}

impl Disk for FileDisk {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&mut self, offset: u64, buffers: &[VolatileSlice]) -> io::Result<()> {
        scatter::read_at(&self.file, offset, buffers)
    }

    fn write_at(&mut self, offset: u64, buffers: &[VolatileSlice]) -> io::Result<()> {
        scatter::write_at(&self.file, offset, buffers)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn discard(&mut self, offset: u64, len: u64) -> io::Result<()> {
        // Where a file system has no holes, a discard is a hint that is not taken.
        punch(&self.file, offset, len).map(|_done| ())
    }

    fn write_zeroes(&mut self, offset: u64, len: u64, unmap: bool) -> io::Result<()> {
        if unmap && punch(&self.file, offset, len)? {
            return Ok(());
        }
        let mode = FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE;
        if supported(scatter::allocate(&self.file, mode, offset, len))? {
            return Ok(());
        }
        let mut done = 0;
        while done < len {
            let step = (len - done).min(ZEROES.len() as u64);
            scatter::write_bytes_at(&self.file, offset + done, &ZEROES[..step as usize])?;
            done += step;
        }
        Ok(())
    }
}

/// Frees the space of a range, which then reads as zero. False: this file system can't.
fn punch(file: &File, offset: u64, len: u64) -> io::Result<bool> {
    let mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    supported(scatter::allocate(file, mode, offset, len))
}

fn supported(result: io::Result<()>) -> io::Result<bool> {
    match result {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::Unsupported => Ok(false),
        Err(error) => Err(error),
    }
}
