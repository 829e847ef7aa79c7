//! The disk behind a drive of the configuration.

use std::io;
use std::path::Path;

use devices::virtio::block::{self, Disk, FileDisk, StitchError, StitchedDisk};
use vm_memory::VolatileSlice;

use crate::config::{Drive, DriveSource, Part};
use crate::disk::{self, DiskError};

/// Opens what a drive is made of.
pub fn open(drive: &Drive) -> Result<Box<dyn Disk>, DiskError> {
    match &drive.source {
        DriveSource::File(path) => {
            let file = disk::open(&drive.id, path, drive.read_only)?;
            let disk = FileDisk::new(file).map_err(|error| unusable(drive, path, error))?;
            Ok(if drive.flush { Box::new(disk) } else { Box::new(Unflushed(disk)) })
        }
        DriveSource::Parts(parts) => {
            let open = |part: &Part| {
                let file = disk::open(&drive.id, &part.path, true)?;
                Ok(block::Part { file, offset: part.offset, length: part.length })
            };
            let opened = parts.iter().map(open).collect::<Result<_, DiskError>>()?;
            let disk = StitchedDisk::new(opened).map_err(|error| {
                let (StitchError::File { index, .. }
                | StitchError::Range { index, .. }
                | StitchError::TooLong { index }) = error;
                unusable(drive, &parts[index].path, error)
            })?;
            Ok(Box::new(disk))
        }
    }
}

fn unusable(drive: &Drive, file: &Path, problem: impl ToString) -> DiskError {
    DiskError::Unusable {
        id: drive.id.clone(),
        file: file.to_owned(),
        problem: problem.to_string(),
    }
}

/// A disk whose flushes go nowhere (`cache_type` "Unsafe"): after a power cut of the host its
/// contents are undefined, which is fine for a disk that nobody will look at again.
struct Unflushed(FileDisk);

impl Disk for Unflushed {
    fn len(&self) -> u64 {
        self.0.len()
    }

    fn read_at(&mut self, offset: u64, buffers: &[VolatileSlice]) -> io::Result<()> {
        self.0.read_at(offset, buffers)
    }

    fn write_at(&mut self, offset: u64, buffers: &[VolatileSlice]) -> io::Result<()> {
        self.0.write_at(offset, buffers)
    }

    fn discard(&mut self, offset: u64, len: u64) -> io::Result<()> {
        self.0.discard(offset, len)
    }

    fn write_zeroes(&mut self, offset: u64, len: u64, unmap: bool) -> io::Result<()> {
        self.0.write_zeroes(offset, len, unmap)
    }
}
