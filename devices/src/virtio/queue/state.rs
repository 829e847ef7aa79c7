//! What a queue is made of: the driver's choices and the device's positions.

use serde::{Deserialize, Serialize};
use vm_memory::{GuestAddress, GuestMemoryBackend};

use super::QueueError;
use crate::GuestMemory;

/// The largest queue size (virtio 1.2 §2.7).
const MAX_SIZE: u16 = 32768;

/// The three areas of a queue, as the transport's registers name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Area {
    /// The descriptor table.
    Descriptors,
    /// The driver area: the available ring.
    Driver,
    /// The device area: the used ring.
    Device,
}

/// The saved state of a queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueState {
    /// The largest size that the device offers.
    pub max_size: u16,
    /// The number of descriptors, chosen by the driver.
    pub size: u16,
    /// Whether the driver has put the queue into use.
    pub ready: bool,
    /// Where the descriptor table is.
    pub descriptors: u64,
    /// Where the available ring is.
    pub driver: u64,
    /// Where the used ring is.
    pub device: u64,
    /// The ring position of the next chain to pop; wraps at 65536.
    pub next_avail: u16,
    /// The ring position of the next chain to push; wraps at 65536.
    pub next_used: u16,
    /// `next_used` when it was last decided about an interrupt.
    pub signalled_used: u16,
    /// Whether VIRTIO_F_EVENT_IDX was negotiated.
    pub event_index: bool,
    /// Whether VIRTIO_F_INDIRECT_DESC was negotiated.
    pub indirect: bool,
}

impl QueueState {
    pub(super) fn new(max_size: u16) -> Self {
        Self {
            max_size,
            size: max_size,
            ready: false,
            descriptors: 0,
            driver: 0,
            device: 0,
            next_avail: 0,
            next_used: 0,
            signalled_used: 0,
            event_index: false,
            indirect: false,
        }
    }

    /// Refuses what no queue can have become.
    pub(super) fn check(&self, mem: &GuestMemory) -> Result<(), QueueError> {
        check_size(self.max_size, MAX_SIZE)?;
        check_size(self.size, self.max_size)?;
        if self.ready { self.check_areas(mem) } else { Ok(()) }
    }

    pub(super) fn set_size(&mut self, size: u16) -> Result<(), QueueError> {
        check_size(size, self.max_size)?;
        self.size = size;
        Ok(())
    }

    pub(super) fn address(&self, area: Area) -> u64 {
        match area {
            Area::Descriptors => self.descriptors,
            Area::Driver => self.driver,
            Area::Device => self.device,
        }
    }

    pub(super) fn set_address(&mut self, area: Area, address: u64) {
        match area {
            Area::Descriptors => self.descriptors = address,
            Area::Driver => self.driver = address,
            Area::Device => self.device = address,
        }
    }

    pub(super) fn set_ready(&mut self, ready: bool, mem: &GuestMemory) -> Result<(), QueueError> {
        if ready {
            self.check_areas(mem)?;
        }
        self.ready = ready;
        Ok(())
    }

    fn check_areas(&self, mem: &GuestMemory) -> Result<(), QueueError> {
        for (address, alignment, len) in self.areas() {
            if !address.is_multiple_of(alignment) {
                return Err(QueueError::Alignment { address, alignment });
            }
            let inside =
                usize::try_from(len).is_ok_and(|len| mem.check_range(GuestAddress(address), len));
            if !inside {
                return Err(QueueError::Outside { address, len });
            }
        }
        Ok(())
    }

    /// Address, alignment and length of the three areas (virtio 1.2 §2.7, the table of alignments).
    fn areas(&self) -> [(u64, u64, u64); 3] {
        let size = u64::from(self.size);
        [
            (self.descriptors, 16, 16 * size),
            (self.driver, 2, 6 + 2 * size),
            (self.device, 4, 6 + 8 * size),
        ]
    }
}

fn check_size(size: u16, max: u16) -> Result<(), QueueError> {
    if size.is_power_of_two() && size <= max { Ok(()) } else { Err(QueueError::Size { size, max }) }
}
