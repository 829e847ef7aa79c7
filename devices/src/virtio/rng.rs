//! An entropy device (virtio 1.2 §5.4): random bytes for the guest.
//!
//! Every virtio device is driven like this one, through the registers of its transport:
//!
//! ```
//! use bulkhead_devices::virtio::{mmio::Mmio, rng::{Entropy, Rng}};
//! use bulkhead_devices::{Bell, GuestMemory, Interrupt, Registers};
//! use vm_memory::GuestAddress;
//!
//! struct Dice;
//! impl Entropy for Dice {
//!     fn fill(&mut self, buf: &mut [u8]) -> std::io::Result<()> {
//!         Ok(buf.fill(4))
//!     }
//! }
//! struct Line;
//! impl Interrupt for Line {
//!     fn raise(&self) {}
//! }
//! impl Bell for Line {
//!     fn ring(&self) {}
//! }
//! let memory = GuestMemory::from_ranges(&[(GuestAddress(0), 0x1000)]).unwrap();
//! let mut mmio = Mmio::new(Rng::new(Box::new(Dice)), memory, Box::new(Line), Box::new(Line));
//! let mut register = [0; 4];
//! mmio.read(0x008, &mut register); // DeviceID
//! assert_eq!(u32::from_le_bytes(register), 4);
//! mmio.write(0x070, &8u32.to_le_bytes()); // Status: FEATURES_OK, before ACKNOWLEDGE and DRIVER
//! mmio.read(0x070, &mut register);
//! assert_eq!(register, [0; 4]); // is not taken
//! ```

#[cfg(test)]
mod tests;

use std::io;

use serde::{Deserialize, Serialize};

use super::queue::{Chain, Queue, QueueError};
use super::{ImmediateDevice, VirtioDevice, read_config_bytes};
use crate::limits::MAX_FILL;
use crate::{Device, GuestMemory, RestoreError};

/// The device ID (virtio 1.2 §5).
const DEVICE_ID: u32 = 4;
/// Chains that may be under way.
const QUEUE_SIZE: u16 = 64;

/// A source of random bytes.
pub trait Entropy: Send {
    /// Fills all of `buf`.
    fn fill(&mut self, buf: &mut [u8]) -> io::Result<()>;
}

/// An entropy device.
pub struct Rng {
    source: Box<dyn Entropy>,
}

/// An entropy device remembers nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RngState {}

impl Rng {
    /// A device that draws on `source`.
    pub fn new(source: Box<dyn Entropy>) -> Self {
        Self { source }
    }

    fn fill(&mut self, chain: &Chain, mem: &GuestMemory) -> Result<u32, QueueError> {
        if chain.readable_len() != 0 || chain.writable_len() == 0 {
            let problem = "an entropy request must have writable bytes only (virtio 1.2 §5.4.6.1)";
            return Err(QueueError::Layout { head: chain.head, problem });
        }
        let mut bytes = [0; MAX_FILL];
        let len = chain.writable_len().min(MAX_FILL as u64) as usize;
        let bytes = &mut bytes[..len];
        if let Err(error) = self.source.fill(bytes) {
            log::debug!("virtio-rng: {error}");
            return Ok(0);
        }
        chain.write_at(mem, 0, bytes)?;
        Ok(len as u32)
    }
}

impl Device for Rng {
    type State = RngState;

    fn reset(&mut self) {}

    fn save(&self) -> RngState {
        RngState {}
    }

    fn restore(&mut self, RngState {}: &RngState) -> Result<(), RestoreError> {
        Ok(())
    }
}

impl VirtioDevice for Rng {
    fn device_id(&self) -> u32 {
        DEVICE_ID
    }

    fn queue_max_sizes(&self) -> &[u16] {
        &[QUEUE_SIZE]
    }

    fn features(&self) -> u64 {
        0
    }

    fn read_config(&self, offset: u64, data: &mut [u8]) {
        read_config_bytes(&[], offset, data);
    }

    fn activate(&mut self, _features: u64, _queues: &[Queue]) {}
}

impl ImmediateDevice for Rng {
    fn process(
        &mut self,
        index: usize,
        queues: &mut [Queue],
        mem: &GuestMemory,
    ) -> Result<(), QueueError> {
        queues[index].for_each_chain(mem, |chain| self.fill(chain, mem))
    }
}
