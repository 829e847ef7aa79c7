//! A block device, from a drive of the configuration to the disk behind it.

mod worker;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use devices::virtio::VirtioDevice;
use devices::virtio::block::{self, Block, Disk, FileDisk, StitchError, StitchedDisk};
use vm_memory::VolatileSlice;

use super::Attached;
use super::slot::{Plugged, Slot};
use crate::bus::Bus;
use crate::config::{Drive, DriveSource, Part};
use crate::disk::{self, DiskError};
use crate::error::VmmError;
use crate::jail::filters::{RollCall, Thread};
use crate::limits::DISK_PAUSE;
use worker::Worker;

/// Makes the device of a drive, with the disk that [`open`] gives.
pub fn attach(
    drive: &Drive,
    disk: Box<dyn Disk>,
    slot: Slot<'_>,
    bus: &mut Bus,
) -> Result<AttachedBlock, VmmError> {
    let writes_up_to = if drive.read_only { 0 } else { disk.len() };
    let block = Block::new(disk.len(), &drive.id, drive.read_only);
    let lines = slot.lines(block.queue_max_sizes().len())?;
    let mut attached = AttachedBlock::new(&drive.id, disk, slot.plug(block, lines, bus));
    attached.writes_up_to = writes_up_to;
    Ok(attached)
}

/// A block device in its slot, and the disk behind it, which has a thread of its own.
pub struct AttachedBlock {
    id: String,
    /// Until the thread has it.
    disk: Option<Box<dyn Disk>>,
    writes_up_to: u64,
    worker: Arc<Worker>,
}

impl AttachedBlock {
    pub(super) fn new(id: &str, disk: Box<dyn Disk>, device: Plugged<Block>) -> Self {
        let worker = Arc::new(Worker::new(device));
        Self { id: id.to_owned(), disk: Some(disk), writes_up_to: 0, worker }
    }

    pub(super) fn pause_within(&self, limit: Duration) {
        if !self.worker.pause(limit) {
            log::warn!("drive {:?}: a request that takes too long is lost", self.id);
        }
    }
}

impl Attached for AttachedBlock {
    fn start(&mut self, roll: &mut RollCall) -> io::Result<()> {
        let Some(disk) = self.disk.take() else { return Ok(()) };
        Worker::start(&self.worker, &self.id, disk, roll.member(Thread::Disk))
    }

    fn writes_up_to(&self) -> u64 {
        self.writes_up_to
    }

    fn pause(&mut self) {
        self.pause_within(DISK_PAUSE);
    }
}

impl Drop for AttachedBlock {
    fn drop(&mut self) {
        self.worker.end();
    }
}

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
