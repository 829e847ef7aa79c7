//! A block device (virtio 1.2 §5.2): a disk for the guest.

mod config;
mod disk;
mod file;
mod request;
mod scatter;
mod stitched;
#[cfg(test)]
mod tests;

use std::io;

use serde::{Deserialize, Serialize};

use super::queue::{Chain, Queue, QueueError};
use super::{VirtioDevice, read_config_bytes};
use crate::{Device, GuestMemory, RestoreError};
use config::SECTOR;
pub use disk::Disk;
pub use file::FileDisk;
use request::{Command, Failure, HEADER, ID_LEN, Range, Request};
pub use stitched::{Part, StitchError, StitchedDisk};

/// The device ID (virtio 1.2 §5).
const DEVICE_ID: u32 = 2;
/// A range's flag in a write-zeroes: the space may be freed (virtio 1.2 §5.2.6).
const RANGE_UNMAP: u32 = 1;
/// The name in error messages.
const NAME: &str = "virtio-blk";

/// A block device.
pub struct Block {
    disk: Box<dyn Disk>,
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
    /// A device with this disk. The guest can ask for the first 20 bytes of `id`.
    pub fn new(backend: Box<dyn Disk>, id: &str, read_only: bool) -> Self {
        let mut bytes = [0; ID_LEN];
        let len = id.len().min(ID_LEN);
        bytes[..len].copy_from_slice(&id.as_bytes()[..len]);
        Self { disk: backend, id: bytes, read_only, features: 0 }
    }

    /// Exchanges the disk, perhaps for one of another size. The transport must then tell the guest
    /// ([`config_changed`](super::mmio::Mmio::config_changed)).
    pub fn set_backend(&mut self, backend: Box<dyn Disk>) {
        self.disk = backend;
    }

    fn sectors(&self) -> u64 {
        self.disk.len() / SECTOR
    }

    fn agreed(&self, feature: u64) -> bool {
        self.features & feature != 0
    }

    /// Does what `chain` asks for. Gives the length for the used ring.
    fn serve(&mut self, chain: &Chain, mem: &GuestMemory) -> Result<u32, QueueError> {
        let request = Request::parse(chain, mem)?;
        let result = match request.command {
            Command::Read => self.read(&request, mem)?,
            Command::Write => self.write(&request, mem)?,
            Command::Flush => done(self.disk.flush()),
            Command::GetId if request.data_in < ID_LEN as u64 => Err(Failure::Io),
            Command::GetId => {
                chain.write_at(mem, 0, &self.id)?;
                Ok(ID_LEN as u64)
            }
            Command::Discard => self.discard(&request, mem)?,
            Command::WriteZeroes => self.write_zeroes(&request, mem)?,
            Command::Unknown => Err(Failure::Unsupported),
        };
        request.complete(mem, result)
    }

    fn read(&mut self, request: &Request, mem: &GuestMemory) -> Outcome {
        let len = request.data_in;
        let Some(offset) = self.locate(request.sector, len) else {
            return Ok(Err(Failure::Io));
        };
        let buffers = request.chain.writable_slices(mem, 0, len)?;
        Ok(done(self.disk.read_at(offset, &buffers)).map(|_| len))
    }

    fn write(&mut self, request: &Request, mem: &GuestMemory) -> Outcome {
        let len = request.data_out;
        let Some(offset) = self.locate(request.sector, len).filter(|_| !self.read_only) else {
            return Ok(Err(Failure::Io));
        };
        let buffers = request.chain.readable_slices(mem, HEADER, len)?;
        let mut result = self.disk.write_at(offset, &buffers);
        if result.is_ok() && !self.agreed(config::F_FLUSH) {
            // A driver that can't flush relies on each write being stable (virtio 1.2 §5.2.5.2).
            result = self.disk.flush();
        }
        Ok(done(result))
    }

    fn discard(&mut self, request: &Request, mem: &GuestMemory) -> Outcome {
        if !self.agreed(config::F_DISCARD) {
            return Ok(Err(Failure::Unsupported));
        }
        let ranges = request.ranges(mem, config::MAX_DISCARD_RANGES)?;
        // An unmap flag makes no sense here (virtio 1.2 §5.2.6.2).
        Ok(ranges.and_then(|ranges| {
            let ranges = self.locate_all(&ranges, config::MAX_DISCARD_SECTORS, 0)?;
            ranges
                .into_iter()
                .try_fold(0, |_, (offset, len, _)| done(self.disk.discard(offset, len)))
        }))
    }

    fn write_zeroes(&mut self, request: &Request, mem: &GuestMemory) -> Outcome {
        if !self.agreed(config::F_WRITE_ZEROES) {
            return Ok(Err(Failure::Unsupported));
        }
        let ranges = request.ranges(mem, config::MAX_ZEROES_RANGES)?;
        Ok(ranges.and_then(|ranges| {
            let ranges = self.locate_all(&ranges, config::MAX_ZEROES_SECTORS, RANGE_UNMAP)?;
            ranges.into_iter().try_fold(0, |_, (offset, len, flags)| {
                done(self.disk.write_zeroes(offset, len, flags & RANGE_UNMAP != 0))
            })
        }))
    }

    /// Checks all ranges before the first is touched; leaves out empty ones. Gives offset and length in bytes, and the flags.
    fn locate_all(
        &self,
        ranges: &[Range],
        max_sectors: u32,
        known_flags: u32,
    ) -> Result<Vec<(u64, u64, u32)>, Failure> {
        let locate = |range: &Range| {
            if range.flags & !known_flags != 0 {
                return Err(Failure::Unsupported);
            }
            let len = u64::from(range.sectors) * SECTOR;
            match self.locate(range.sector, len) {
                Some(offset) if range.sectors <= max_sectors => Ok((offset, len, range.flags)),
                _ => Err(Failure::Io),
            }
        };
        ranges.iter().filter(|range| range.sectors != 0).map(locate).collect()
    }

    /// Where `len` bytes from `sector` on start, if they are whole sectors of the disk.
    fn locate(&self, sector: u64, len: u64) -> Option<u64> {
        let end = sector.checked_add(len / SECTOR)?;
        (len.is_multiple_of(SECTOR) && end <= self.sectors()).then(|| sector * SECTOR)
    }
}

/// A driver's error that the device survives is in the inner result; the number is how many bytes of data it wrote.
type Outcome = Result<Result<u64, Failure>, QueueError>;

/// The answer to a request that returns no data.
fn done(result: io::Result<()>) -> Result<u64, Failure> {
    result.map(|()| 0).map_err(|error| {
        log::debug!("{NAME}: {error}");
        Failure::Io
    })
}

impl Device for Block {
    type State = BlockState;

    /// What the guest wrote shall be on the disk that a snapshot goes with.
    fn pause(&mut self) {
        if let Err(error) = self.disk.flush() {
            log::warn!("{NAME}: can't flush the disk of a paused machine: {error}");
        }
    }

    fn reset(&mut self) {
        self.features = 0;
    }

    fn save(&self) -> BlockState {
        BlockState { features: self.features, sectors: self.sectors() }
    }

    fn restore(&mut self, state: &BlockState) -> Result<(), RestoreError> {
        if state.sectors != self.sectors() {
            return Err(RestoreError::new(NAME, "sectors", state.sectors, self.sectors()));
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
        config::F_SEG_MAX | config::F_BLK_SIZE | config::F_FLUSH | access
    }

    fn read_config(&self, offset: u64, data: &mut [u8]) {
        read_config_bytes(&config::layout(self.sectors()), offset, data);
    }

    fn activate(&mut self, features: u64, _queues: &[Queue]) {
        self.features = features;
    }

    fn notify(
        &mut self,
        index: usize,
        queues: &mut [Queue],
        mem: &GuestMemory,
    ) -> Result<(), QueueError> {
        queues[index].serve(mem, |chain| self.serve(chain, mem))
    }
}
