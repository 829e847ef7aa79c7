//! What a request makes the disk do: planned while the queue is held, done without it.

use std::io;

use super::Disk;
use super::request::{Failure, HEADER, STATUS_OK};
use crate::GuestMemory;
use crate::limits::FLUSH_COST;
use crate::virtio::queue::{Chain, QueueError, Token};

/// The name in log messages.
const NAME: &str = "virtio-blk";

/// A request that was taken from the queue. Its ranges were checked and lie on the disk.
#[derive(Debug)]
pub struct Job {
    pub(super) token: Token,
    pub(super) chain: Chain,
    pub(super) action: Action,
    /// How many bytes of data precede the status.
    pub(super) data_in: u64,
}

/// A request that was done: its chain goes back with this many bytes written, or the driver broke a rule.
#[derive(Debug)]
pub struct Done {
    /// Which chain.
    pub token: Token,
    /// The length for the used ring.
    pub written: Result<u32, QueueError>,
}

/// What to do. Offsets and lengths are in bytes.
#[derive(Debug)]
pub(super) enum Action {
    Read {
        offset: u64,
        len: u64,
    },
    Write {
        offset: u64,
        len: u64,
        and_flush: bool,
    },
    Flush,
    Discard {
        offset: u64,
        len: u64,
    },
    WriteZeroes {
        offset: u64,
        len: u64,
        unmap: bool,
    },
    /// Nothing that concerns the disk: the answer is known.
    Answer(Result<u64, Failure>),
}

impl Action {
    /// What it costs the host beyond the bytes of its chain, in bytes.
    pub(super) fn cost(&self) -> u64 {
        match *self {
            Action::Flush | Action::Write { and_flush: true, .. } => FLUSH_COST,
            Action::Discard { len, .. } | Action::WriteZeroes { len, .. } => len,
            _ => 0,
        }
    }
}

impl Job {
    /// Has the disk do it, and writes data and status to guest memory.
    pub fn run(self, disk: &mut dyn Disk, mem: &GuestMemory) -> Done {
        let result = self.act(disk, mem);
        let written = result.and_then(|result| self.write_status(mem, result));
        Done { token: self.token, written }
    }

    /// A driver's error that the device survives is in the inner result; the number is how many bytes of data it wrote.
    fn act(
        &self,
        disk: &mut dyn Disk,
        mem: &GuestMemory,
    ) -> Result<Result<u64, Failure>, QueueError> {
        Ok(match self.action {
            Action::Read { offset, len } => {
                let buffers = self.chain.writable_slices(mem, 0, len)?;
                without_data(disk.read_at(offset, &buffers)).map(|_| len)
            }
            Action::Write { offset, len, and_flush } => {
                let buffers = self.chain.readable_slices(mem, HEADER, len)?;
                let result = disk.write_at(offset, &buffers);
                without_data(if and_flush { result.and_then(|()| disk.flush()) } else { result })
            }
            Action::Flush => without_data(disk.flush()),
            Action::Discard { offset, len } => without_data(disk.discard(offset, len)),
            Action::WriteZeroes { offset, len, unmap } => {
                without_data(disk.write_zeroes(offset, len, unmap))
            }
            Action::Answer(answer) => answer,
        })
    }

    /// Writes the status byte. Gives the length for the used ring: `written` bytes of data are there, and the status
    /// counts only if no gap is left before it (virtio 1.2 §2.7.8.2).
    fn write_status(
        &self,
        mem: &GuestMemory,
        result: Result<u64, Failure>,
    ) -> Result<u32, QueueError> {
        let (status, written) = match result {
            Ok(written) => (STATUS_OK, written),
            Err(failure) => (failure as u8, 0),
        };
        self.chain.write_at(mem, self.data_in, &[status])?;
        let used = if written == self.data_in { written + 1 } else { written };
        // A chain holds at most 2^32 bytes, a request's header among them.
        Ok(used as u32)
    }
}

/// The answer to a request that returns no data.
fn without_data(result: io::Result<()>) -> Result<u64, Failure> {
    result.map(|()| 0).map_err(|error| {
        log::debug!("{NAME}: {error}");
        Failure::Io
    })
}
