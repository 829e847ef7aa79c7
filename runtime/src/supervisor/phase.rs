//! Where a container is in its life, and what it is held by there.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::process::{Signal, pidfd_send_signal};

use super::error::SupervisorError;
use crate::agent::Guest;

/// Where it is.
#[derive(Clone)]
pub(super) enum Phase {
    /// The VM does not run yet, or not again yet.
    Waiting,
    Running(Held),
    /// Its guest was told to stand still, and has not said that it does. Nothing may be begun in it: its guest could not.
    Pausing(Held),
    Paused(Held),
    /// Its process has ended, or the conversation about it, and its VM is about to.
    Leaving,
    /// For good.
    Over,
}

/// What a running container is held by.
#[derive(Clone)]
pub(super) struct Held {
    pub(super) guest: Guest,
    pub(super) vmm: Arc<OwnedFd>,
}

impl Held {
    pub(super) fn signal_vmm(&self, signal: Signal) {
        // It may have ended in this moment.
        let _ = pidfd_send_signal(&self.vmm, signal);
    }
}

impl Phase {
    /// What it is held by, paused or not.
    pub(super) fn held(&self) -> Option<Held> {
        match self {
            Self::Running(held) | Self::Pausing(held) | Self::Paused(held) => Some(held.clone()),
            Self::Waiting | Self::Leaving | Self::Over => None,
        }
    }

    /// Whether it is being paused, as this run that it is held by.
    pub(super) fn is_pausing(&self, held: &Held) -> bool {
        matches!(self, Self::Pausing(now) if Arc::ptr_eq(&now.vmm, &held.vmm))
    }

    /// What it is held by, if something can be done in it.
    pub(super) fn running(&self) -> Result<Held, SupervisorError> {
        match self {
            Self::Running(held) => Ok(held.clone()),
            Self::Pausing(_) | Self::Paused(_) => Err(SupervisorError::Paused),
            Self::Waiting | Self::Leaving | Self::Over => Err(SupervisorError::NotRunning),
        }
    }
}
