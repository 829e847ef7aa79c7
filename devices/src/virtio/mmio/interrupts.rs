//! Why a device interrupts its driver: the two registers that a driver uses with every interrupt.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::registers::{INTERRUPT_ACK, INTERRUPT_STATUS};

/// INTERRUPT_STATUS and INTERRUPT_ACK (virtio 1.2 §4.2.2). Clones are the same registers: a vCPU gets at them while whoever
/// serves the device works, and holds its lock.
#[derive(Clone, Debug, Default)]
pub struct InterruptStatus(Arc<AtomicU32>);

impl InterruptStatus {
    /// A driver's read of a register at `offset`. False: it is another register, or of another width.
    pub fn read(&self, offset: u64, data: &mut [u8]) -> bool {
        match <&mut [u8; 4]>::try_from(data) {
            Ok(data) if offset == INTERRUPT_STATUS => {
                *data = self.get().to_le_bytes();
                true
            }
            _ => false,
        }
    }

    /// A driver's write, likewise.
    pub fn write(&self, offset: u64, data: &[u8]) -> bool {
        match <[u8; 4]>::try_from(data) {
            Ok(data) if offset == INTERRUPT_ACK => {
                self.acknowledge(u32::from_le_bytes(data));
                true
            }
            _ => false,
        }
    }

    /// Acquire: a driver that sees a reason also sees what it is interrupted for.
    pub(super) fn get(&self) -> u32 {
        self.0.load(Ordering::Acquire)
    }

    /// Acquire, too: the driver looks at the queues behind this, and a reason that came before it is gone.
    pub(super) fn acknowledge(&self, reasons: u32) {
        self.0.fetch_and(!reasons, Ordering::AcqRel);
    }

    pub(super) fn add(&self, reason: u32) {
        self.0.fetch_or(reason, Ordering::Release);
    }

    pub(super) fn set(&self, reasons: u32) {
        self.0.store(reasons, Ordering::Release);
    }
}
