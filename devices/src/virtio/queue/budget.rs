//! How much one turn may make a device do.
//!
//! Without a limit a driver that adds chains as fast as the device takes them would hold the event loop for ever, and
//! one whose chains name the same memory over and over could keep it busy for minutes. What counts is what a chain
//! makes the host do: a few bytes can ask for megabytes of zeroes. Devices bound what a single chain may ask for, and
//! so what a turn may come to.

use super::Queue;
use crate::limits::TURN_BYTES;

/// What is left of a turn's share.
#[derive(Debug)]
pub(super) struct Budget {
    chains: u16,
    bytes: u64,
}

impl Budget {
    /// One queue's worth of chains.
    pub(super) fn new(queue_size: u16) -> Self {
        Self { chains: queue_size, bytes: TURN_BYTES }
    }

    /// Accounts for a chain of so many bytes. The last one may be larger than what is left.
    pub(super) fn spend(&mut self, bytes: u64) {
        self.chains = self.chains.saturating_sub(1);
        self.charge(bytes);
    }

    /// Accounts for what a chain does beyond its own bytes.
    pub(super) fn charge(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    pub(super) fn is_used_up(&self) -> bool {
        self.chains == 0 || self.bytes == 0
    }
}

impl Queue {
    /// Begins a notification's share of work.
    pub(crate) fn refill_budget(&mut self) {
        self.budget = Some(Budget::new(self.state.size));
    }

    /// Whether the share of work is used up, so that chains may be left.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.budget.as_ref().is_some_and(Budget::is_used_up)
    }

    pub(super) fn spend(&mut self, bytes: u64) {
        if let Some(budget) = &mut self.budget {
            budget.spend(bytes);
        }
    }

    /// Accounts for what the chain popped last makes the device do, beyond its own bytes.
    pub(crate) fn charge(&mut self, bytes: u64) {
        if let Some(budget) = &mut self.budget {
            budget.charge(bytes);
        }
    }
}
