//! A block device (virtio 1.2 §5.2): a disk for the guest.
//!
//! Disks are slow, so the model has none: it makes a [`Job`] of each request, which a thread of the disk's own takes,
//! runs and answers ([`turn`]).
//!
//! ```
//! use bulkhead_devices::GuestMemory;
//! use bulkhead_devices::virtio::{block::{Block, FileDisk}, queue::{Area, Queue}};
//! use std::io::Write;
//! use vm_memory::{Bytes, GuestAddress as At};
//!
//! let mut file = tempfile::tempfile()?;
//! file.write_all(&[[0; 512], [7; 512]].concat())?;
//! let (mut disk, mut block) = (FileDisk::new(file)?, Block::new(1024, "data", true));
//!
//! // As a driver does: a table at 0, an available ring at 0x400, a used ring at 0x800.
//! let mem = GuestMemory::from_ranges(&[(At(0), 0x2000)])?;
//! let mut queue = Queue::new(16);
//! queue.set_address(Area::Driver, 0x400);
//! queue.set_address(Area::Device, 0x800);
//! queue.set_ready(true, &mem)?;
//! mem.write_obj(1u64, At(0x1008))?; // The request, all zeros but for its sector: read sector 1.
//! // Its header, room for 512 bytes, room for the status. Flags: 1 for "goes on", 2 for "the device writes".
//! for (index, addr, len, flags) in [(0u64, 0x1000, 16, 1), (1, 0x1200, 512, 3), (2, 0x1400, 1, 2)] {
//!     mem.write_obj([addr, len | flags << 32 | (index + 1) << 48], At(16 * index))?;
//! }
//! mem.write_obj(1u16, At(0x402))?; // One chain is available, that which begins with descriptor 0.
//! let job = block.next(&mut queue, &mem)?.expect("a request");
//! let _done = job.run(&mut disk, &mem);
//! assert_eq!(mem.read_obj::<u8>(At(0x13ff))?, 7); // The last byte of the sector.
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod config;
mod disk;
mod file;
mod job;
mod request;
mod scatter;
mod stitched;
#[cfg(test)]
mod tests;
mod turn;

use serde::{Deserialize, Serialize};

use super::queue::{Chain, Queue, QueueError};
use super::{VirtioDevice, read_config_bytes};
use crate::{Device, GuestMemory, RestoreError};
use config::SECTOR;
pub use disk::Disk;
pub use file::FileDisk;
use job::Action;
pub use job::{Done, Job};
use request::{Command, Failure, ID_LEN, Range, Request};
pub use stitched::{Part, StitchError, StitchedDisk};
pub use turn::turn;

/// The device ID (virtio 1.2 §5).
const DEVICE_ID: u32 = 2;
/// A range's flag in a write-zeroes: the space may be freed (virtio 1.2 §5.2.6).
const RANGE_UNMAP: u32 = 1;
/// The name in error messages.
const NAME: &str = "virtio-blk";

/// The only queue.
const QUEUE: usize = 0;

/// A block device.
pub struct Block {
    sectors: u64,
    id: [u8; ID_LEN],
    read_only: bool,
    features: u64,
}

/// The guest-visible state of a block device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockState {
    /// The negotiated features; 0 when not running.
    pub features: u64,
    /// The length of the disk, which the disk that it is restored with must have too.
    pub sectors: u64,
}

impl Block {
    /// A device for a disk of `len` bytes. The guest can ask for the first 20 bytes of `id`.
    pub fn new(len: u64, id: &str, read_only: bool) -> Self {
        let mut bytes = [0; ID_LEN];
        let id_len = id.len().min(ID_LEN);
        bytes[..id_len].copy_from_slice(&id.as_bytes()[..id_len]);
        Self { sectors: len / SECTOR, id: bytes, read_only, features: 0 }
    }

    /// The next request of the driver's. Each is to be given back, done.
    pub fn next(
        &mut self,
        queue: &mut Queue,
        mem: &GuestMemory,
    ) -> Result<Option<Job>, QueueError> {
        loop {
            if let Some((chain, token)) = queue.pop_deferred(mem)? {
                return match self.plan(&chain, mem) {
                    Ok((action, data_in)) => {
                        queue.charge(action.cost());
                        Ok(Some(Job { token, chain, action, data_in }))
                    }
                    Err(error) => {
                        queue.drop_deferred(token);
                        Err(error)
                    }
                };
            }
            if !queue.enable_notification(mem)? {
                return Ok(None);
            }
        }
    }

    fn agreed(&self, feature: u64) -> bool {
        self.features & feature != 0
    }

    /// What `chain` asks for, and how many bytes of data are in front of its status.
    fn plan(&self, chain: &Chain, mem: &GuestMemory) -> Result<(Action, u64), QueueError> {
        let request = Request::parse(chain, mem)?;
        let action = if request.data_in.max(request.data_out) > config::MAX_DATA {
            Err(Failure::Io)
        } else {
            match request.command {
                Command::Read => self.read(&request),
                Command::Write => self.write(&request),
                Command::Flush => Ok(Action::Flush),
                Command::GetId => self.name(&request, mem)?,
                Command::Discard => self.discard(&request, mem)?,
                Command::WriteZeroes => self.write_zeroes(&request, mem)?,
                Command::Unknown => Err(Failure::Unsupported),
            }
        };
        Ok((action.unwrap_or_else(|failure| Action::Answer(Err(failure))), request.data_in))
    }

    fn read(&self, request: &Request) -> Result<Action, Failure> {
        let len = request.data_in;
        Ok(Action::Read { offset: self.locate(request.sector, len)?, len })
    }

    fn write(&self, request: &Request) -> Result<Action, Failure> {
        if self.read_only {
            return Err(Failure::Io);
        }
        let len = request.data_out;
        // A driver that can't flush relies on each write being stable (virtio 1.2 §5.2.5.2).
        let and_flush = !self.agreed(config::F_FLUSH);
        Ok(Action::Write { offset: self.locate(request.sector, len)?, len, and_flush })
    }

    fn name(&self, request: &Request, mem: &GuestMemory) -> Planned {
        if request.data_in < ID_LEN as u64 {
            return Ok(Err(Failure::Io));
        }
        request.chain.write_at(mem, 0, &self.id)?;
        Ok(Ok(Action::Answer(Ok(ID_LEN as u64))))
    }

    fn discard(&self, request: &Request, mem: &GuestMemory) -> Planned {
        if !self.agreed(config::F_DISCARD) {
            return Ok(Err(Failure::Unsupported));
        }
        // An unmap flag makes no sense here (virtio 1.2 §5.2.6.2).
        Ok(request.range(mem)?.and_then(|range| {
            self.locate_range(range, 0, |offset, len, _| Action::Discard { offset, len })
        }))
    }

    fn write_zeroes(&self, request: &Request, mem: &GuestMemory) -> Planned {
        if !self.agreed(config::F_WRITE_ZEROES) {
            return Ok(Err(Failure::Unsupported));
        }
        Ok(request.range(mem)?.and_then(|range| {
            self.locate_range(range, RANGE_UNMAP, |offset, len, unmap| Action::WriteZeroes {
                offset,
                len,
                unmap,
            })
        }))
    }

    /// What to do with a range, of which `action` gets offset and length in bytes and the unmap flag: nothing, if it is
    /// empty.
    fn locate_range(
        &self,
        range: Range,
        known_flags: u32,
        action: impl FnOnce(u64, u64, bool) -> Action,
    ) -> Result<Action, Failure> {
        if range.sectors == 0 {
            return Ok(Action::Answer(Ok(0)));
        }
        if range.flags & !known_flags != 0 {
            return Err(Failure::Unsupported);
        }
        if range.sectors > config::MAX_RANGE_SECTORS {
            return Err(Failure::Io);
        }
        let len = u64::from(range.sectors) * SECTOR;
        let offset = self.locate(range.sector, len)?;
        Ok(action(offset, len, range.flags & RANGE_UNMAP != 0))
    }

    /// Where `len` bytes from `sector` on start, if they are whole sectors of the disk.
    fn locate(&self, sector: u64, len: u64) -> Result<u64, Failure> {
        let end = sector.checked_add(len / SECTOR).ok_or(Failure::Io)?;
        let inside = len.is_multiple_of(SECTOR) && end <= self.sectors;
        if inside { Ok(sector * SECTOR) } else { Err(Failure::Io) }
    }
}

/// A driver's error that the device survives is in the inner result.
type Planned = Result<Result<Action, Failure>, QueueError>;

impl Device for Block {
    type State = BlockState;

    fn reset(&mut self) {
        self.features = 0;
    }

    fn save(&self) -> BlockState {
        BlockState { features: self.features, sectors: self.sectors }
    }

    fn restore(&mut self, state: &BlockState) -> Result<(), RestoreError> {
        if state.sectors != self.sectors {
            return Err(RestoreError::new(NAME, "sectors", state.sectors, self.sectors));
        }
        self.features = state.features;
        Ok(())
    }
}

impl VirtioDevice for Block {
    fn device_id(&self) -> u32 {
        DEVICE_ID
    }

    fn queue_max_sizes(&self) -> &[u16] {
        &[config::QUEUE_SIZE]
    }

    fn features(&self) -> u64 {
        let access =
            if self.read_only { config::F_RO } else { config::F_DISCARD | config::F_WRITE_ZEROES };
        config::F_SIZE_MAX | config::F_SEG_MAX | config::F_BLK_SIZE | config::F_FLUSH | access
    }

    fn read_config(&self, offset: u64, data: &mut [u8]) {
        read_config_bytes(&config::layout(self.sectors), offset, data);
    }

    fn activate(&mut self, features: u64, _queues: &[Queue]) {
        self.features = features;
    }
}
