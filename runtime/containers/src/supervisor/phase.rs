//! Where a container is in its life, and the VM that it has there.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::process::{Signal, pidfd_send_signal};

use super::error::SupervisorError;
use crate::conversation::Guest;

/// Where it is.
#[derive(Clone)]
pub(super) enum Phase {
    /// The VM does not run yet, or not again yet.
    Waiting,
    Running(RunningVm),
    /// Its guest was told to stand still, and has not said that it does. Nothing may be begun in it: its guest could not.
    Pausing(RunningVm),
    Paused(RunningVm),
    /// Its process has ended, or the conversation about it, and its VM is about to.
    Leaving,
    /// For good.
    Over,
}

/// The VM of a container that runs.
#[derive(Clone)]
pub(super) struct RunningVm {
    pub(super) guest: Guest,
    pub(super) vmm: Arc<OwnedFd>,
}

impl RunningVm {
    pub(super) fn signal_vmm(&self, signal: Signal) {
        // It may have ended in this moment.
        let _ = pidfd_send_signal(&self.vmm, signal);
    }
}

impl Phase {
    /// Its VM, paused or not.
    pub(super) fn running_vm(&self) -> Option<RunningVm> {
        match self {
            Self::Running(vm) | Self::Pausing(vm) | Self::Paused(vm) => Some(vm.clone()),
            Self::Waiting | Self::Leaving | Self::Over => None,
        }
    }

    /// Whether it is being paused, as this run of the VM.
    pub(super) fn is_pausing(&self, vm: &RunningVm) -> bool {
        matches!(self, Self::Pausing(now) if Arc::ptr_eq(&now.vmm, &vm.vmm))
    }

    /// Its VM, if something can be done in it.
    pub(super) fn running(&self) -> Result<RunningVm, SupervisorError> {
        match self {
            Self::Running(vm) => Ok(vm.clone()),
            Self::Pausing(_) | Self::Paused(_) => Err(SupervisorError::Paused),
            Self::Waiting | Self::Leaving | Self::Over => Err(SupervisorError::NotRunning),
        }
    }
}
