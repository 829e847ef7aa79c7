//! Virtio devices (virtio 1.2): the virtqueue, the memory-mapped transport, and the devices behind it.
//!
//! A device model implements [`VirtioDevice`] and sees only queues of checked descriptor chains; registers, feature
//! negotiation, notifications and interrupts are the transport's ([`mmio::Mmio`]).

pub mod block;
pub mod mmio;
pub mod net;
pub mod queue;
pub mod rate;
pub mod rng;
pub mod vsock;

use crate::{Device, GuestMemory};
use queue::{Queue, QueueError};

/// VIRTIO_F_INDIRECT_DESC (virtio 1.2 §6): a descriptor may refer to a table of descriptors.
pub const F_INDIRECT_DESC: u64 = 1 << 28;
/// VIRTIO_F_EVENT_IDX (virtio 1.2 §6): both sides say from which ring position on they want to be notified.
pub const F_EVENT_IDX: u64 = 1 << 29;
/// VIRTIO_F_VERSION_1 (virtio 1.2 §6): not a legacy device.
pub const F_VERSION_1: u64 = 1 << 32;

/// A device behind a virtio transport.
///
/// A driver's write to a register calls neither `reset`, `activate` nor `process`: it may come from a vCPU's thread,
/// and devices make system calls. The transport keeps in mind what was asked and rings a bell; the thread that serves
/// the device then has it done, in this order, before anything else reaches the device.
///
/// Its [`Device::reset`] follows when the driver has written 0 to the status register, has given up (FAILED) or has
/// broken the rules; its [`Device::State`] holds what
/// is the device's own, without the queues and the negotiation, which the transport keeps.
pub trait VirtioDevice: Device + Send {
    /// The device ID (virtio 1.2 §5).
    fn device_id(&self) -> u32;

    /// The largest size of each queue, a power of two; also says how many queues there are.
    fn queue_max_sizes(&self) -> &[u16];

    /// The feature bits of this kind of device (0 to 23). The transport adds [`F_VERSION_1`], [`F_INDIRECT_DESC`] and
    /// [`F_EVENT_IDX`].
    fn features(&self) -> u64;

    /// Reads the device-specific configuration space, which no driver writes. It makes no system call. Bytes past its
    /// end read as zero: every byte of `data` is written.
    fn read_config(&self, offset: u64, data: &mut [u8]);

    /// The driver finished its set-up (DRIVER_OK) with these features, a subset of what was offered, and these queues,
    /// of which it uses those that are ready.
    fn activate(&mut self, features: u64, queues: &[Queue]);

    /// Whether the configuration space has changed since this was last asked, which the transport does after each of
    /// the device's turns, and then tells the driver.
    fn take_config_change(&mut self) -> bool {
        false
    }
}

/// A device that is done with a chain in the call that finds it, for it has nothing to wait for. One that has answers
/// later, by [a turn](mmio::Mmio::begin_turn) of a thread of its own.
pub trait ImmediateDevice: VirtioDevice {
    /// Does what the chains of queue `index`, which exists, ask for. The transport interrupts afterwards, as needed,
    /// for every queue that was used. An error means that the driver broke the rules: the device stops until it is
    /// reset.
    fn process(
        &mut self,
        index: usize,
        queues: &mut [Queue],
        mem: &GuestMemory,
    ) -> Result<(), QueueError>;
}

/// Copies the part of a configuration space that a read asks for, zeroes past its end.
pub(crate) fn read_config_bytes(config: &[u8], offset: u64, data: &mut [u8]) {
    data.fill(0);
    let rest = usize::try_from(offset).ok().and_then(|start| config.get(start..)).unwrap_or(&[]);
    let len = rest.len().min(data.len());
    data[..len].copy_from_slice(&rest[..len]);
}
