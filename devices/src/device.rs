//! What every device has in common: registers, an interrupt line, and a life.

use std::fmt::{Debug, Display};
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// What a register write asks of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing: the guest runs on.
    Continue,
    /// The guest asked for a reset.
    Reset,
    /// The guest switched itself off.
    PowerOff,
}

/// A device reached through a range of port or memory-mapped registers.
pub trait Registers: Send {
    /// Reads at `offset` from the start of the device's range. `data.len()` is 1, 2, 4 or 8, whatever the guest
    /// did; every byte of `data` is written.
    fn read(&mut self, offset: u64, data: &mut [u8]);

    /// Writes at `offset` from the start of the device's range.
    fn write(&mut self, offset: u64, data: &[u8]) -> Outcome;
}

/// An edge-triggered interrupt line: an irqfd in the VMM, a counter in a test.
pub trait Interrupt: Send + Sync {
    /// Sends one edge.
    fn raise(&self);
}

/// Calls the thread that works for a device: an eventfd in the VMM, a counter in a test. Many rings before it is heard
/// are one.
pub trait Bell: Send + Sync {
    /// Rings it.
    fn ring(&self);
}

impl<T: Interrupt + ?Sized> Interrupt for Arc<T> {
    fn raise(&self) {
        (**self).raise();
    }
}

/// The life of a device, and the state that a snapshot holds.
///
/// ```text
///            activate            pause
///   built ─────────────▶ running ─────▶ paused
///     ▲                   │   ▲           │ save
///     │       reset       │   └───────────┘
///     └───────────────────┘      resume
/// ```
///
/// - A device is built idle, as after power-on.
/// - *activate*: the guest's driver has set it up. For a virtio device that is DRIVER_OK, and it learns the agreed
///   features ([`VirtioDevice::activate`](crate::virtio::VirtioDevice::activate)); a fixed device, which has no such
///   handshake, runs from the start.
/// - [`pause`](Device::pause) and [`resume`](Device::resume): the machine stands still. No vCPU runs, and the device
///   must not touch guest memory or finish an operation until it is resumed.
/// - [`reset`](Device::reset): back to the state it was built in; the back end stays.
/// - [`save`](Device::save) of a paused device gives all that the guest could observe;
///   [`restore`](Device::restore) into a device built the same way makes it give the same answers from then on.
///
/// ```
/// use bulkhead_devices::fixed::i8042::I8042;
/// use bulkhead_devices::{Device, Outcome, Registers};
///
/// let mut old = I8042::new();
/// old.write(4, &[0xd1]); // a command, whose parameter comes next
/// let saved = old.save();
///
/// let mut new = I8042::new();
/// new.restore(&saved)?;
/// new.write(0, &[0x01]); // the parameter: address line 20 off
/// assert!(!new.a20());
/// assert_eq!(new.write(4, &[0xfe]), Outcome::Reset); // how Linux reboots a PC
/// # Ok::<(), bulkhead_devices::RestoreError>(())
/// ```
pub trait Device {
    /// The guest-visible state: plain data, no handles.
    type State: Clone + Debug + PartialEq + Serialize + DeserializeOwned;

    /// Stops work. Most models work only when they are called, and have nothing to stop.
    fn pause(&mut self) {}

    /// Takes up work where `pause` left it.
    fn resume(&mut self) {}

    /// Returns to the state after power-on.
    fn reset(&mut self);

    /// The guest-visible state, of a paused device.
    fn save(&self) -> Self::State;

    /// Takes over a saved state. It may come from a damaged or forged file, so it is checked like guest input; after
    /// an error the device is as it was before.
    fn restore(&mut self, state: &Self::State) -> Result<(), RestoreError>;
}

/// A saved state that no device can have been in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("saved state of {device}: {field} is {value}, but must be {expected}")]
pub struct RestoreError {
    device: &'static str,
    field: &'static str,
    value: String,
    expected: String,
}

impl RestoreError {
    /// `field` of `device` holds `value`, which is not what it must be.
    pub fn new(
        device: &'static str,
        field: &'static str,
        value: impl Display,
        expected: impl Display,
    ) -> Self {
        Self { device, field, value: value.to_string(), expected: expected.to_string() }
    }
}
