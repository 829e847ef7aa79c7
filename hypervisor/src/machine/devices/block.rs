//! A block device, from a drive of the configuration to the disk behind it.

mod worker;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use devices::virtio::VirtioDevice;
use devices::virtio::block::{Block, Disk};

use super::Attached;
use super::slot::{Plugged, Slot};
use crate::bus::Bus;
use crate::config::Drive;
use crate::error::VmmError;
use crate::jail::filters::{RollCall, Thread};
use crate::limits::DISK_PAUSE;
use worker::Worker;

/// Makes the device of a drive, with the disk that was opened for it.
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
