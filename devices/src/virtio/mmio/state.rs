//! What a snapshot of the transport holds, and the check of one that comes from outside.

use serde::{Deserialize, Serialize};

use super::registers::{INTERRUPT_CONFIG, INTERRUPT_USED};
use super::status;
use crate::virtio::queue::{Queue, QueueState};
use crate::virtio::{F_EVENT_IDX, F_INDIRECT_DESC, F_VERSION_1};
use crate::{GuestMemory, RestoreError};

/// The name in error messages.
const NAME: &str = "virtio-mmio";

/// The registers that stand for the agreement between driver and device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Negotiation {
    /// The status register.
    pub status: u32,
    /// Which 32 feature bits the driver reads.
    pub device_features_select: u32,
    /// Which 32 feature bits the driver writes.
    pub driver_features_select: u32,
    /// What the driver accepted.
    pub driver_features: u64,
    /// Whether the driver accepted a bit above 63, where none is offered.
    pub unknown_features: bool,
    /// Which queue the queue registers mean.
    pub queue_select: u32,
    /// Reasons for an interrupt that the driver has not acknowledged.
    pub interrupt_status: u32,
    /// How often the configuration space changed.
    pub config_generation: u32,
}

/// The saved state of a virtio device with its transport.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MmioState<S> {
    /// Status, features and interrupts.
    pub negotiation: Negotiation,
    /// The queues, as many as the device has.
    pub queues: Vec<QueueState>,
    /// The device's own.
    pub device: S,
}

impl Negotiation {
    /// Whether the accepted features are a choice that the device can work with (virtio 1.2 §2.2).
    pub(super) fn features_acceptable(&self, offered: u64) -> bool {
        let foreign = self.driver_features & !offered != 0 || self.unknown_features;
        !foreign && self.driver_features & F_VERSION_1 != 0
    }

    /// Whether the queues have an event index, and whether their descriptors may be indirect.
    pub(super) fn queue_features(&self) -> (bool, bool) {
        let accepted = |feature| self.driver_features & feature != 0;
        (accepted(F_EVENT_IDX), accepted(F_INDIRECT_DESC))
    }

    pub(super) fn check(&self, offered: u64) -> Result<(), RestoreError> {
        if !status::is_reachable(self.status) {
            let value = format_args!("{:#x}", self.status);
            return Err(RestoreError::new(NAME, "status", value, "a sequence of steps"));
        }
        if self.interrupt_status & !(INTERRUPT_USED | INTERRUPT_CONFIG) != 0 {
            let value = format_args!("{:#x}", self.interrupt_status);
            return Err(RestoreError::new(NAME, "interrupt_status", value, "0 to 3"));
        }
        if self.status & status::FEATURES_OK != 0 && !self.features_acceptable(offered) {
            let value = format_args!("{:#x}", self.driver_features);
            let expected = format_args!("a subset of {offered:#x} with bit 32");
            return Err(RestoreError::new(NAME, "driver_features", value, expected));
        }
        Ok(())
    }
}

impl<S> MmioState<S> {
    /// Builds the queues, if they fit the device (whose queues are `own`), the memory and the features.
    pub(super) fn check_queues(
        &self,
        own: &[Queue],
        mem: &GuestMemory,
    ) -> Result<Vec<Queue>, RestoreError> {
        let shape = |sizes: Vec<u16>| format!("{sizes:?}");
        let saved = self.queues.iter().map(|state| state.max_size).collect();
        let expected = own.iter().map(|queue| queue.state().max_size).collect();
        if saved != expected {
            return Err(RestoreError::new(NAME, "queue sizes", shape(saved), shape(expected)));
        }
        let agreed = self.negotiation.status & status::FEATURES_OK != 0;
        let (event_index, indirect) =
            if agreed { self.negotiation.queue_features() } else { (false, false) };
        self.queues
            .iter()
            .map(|state| {
                if state.event_index != event_index {
                    let value = state.event_index;
                    return Err(RestoreError::new(NAME, "event_index", value, event_index));
                }
                if state.indirect != indirect {
                    return Err(RestoreError::new(NAME, "indirect", state.indirect, indirect));
                }
                if state.ready && !agreed {
                    return Err(RestoreError::new(NAME, "ready", true, "false before FEATURES_OK"));
                }
                Queue::from_state(state.clone(), mem)
                    .map_err(|error| RestoreError::new(NAME, "queue", error, "a valid queue"))
            })
            .collect()
    }
}
