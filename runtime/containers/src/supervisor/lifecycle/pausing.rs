//! Pausing a container, and all that may come meanwhile.

#[cfg(test)]
mod tests;

use std::thread;

use rustix::process::Signal;

use super::super::error::SupervisorError;
use super::super::phase::{Phase, RunningVm};
use super::{Inner, Lifecycle};
use crate::container::Status;

impl Lifecycle {
    /// Freezes the container, then stops the VM: its processors, and all that its devices do.
    pub(in crate::supervisor) fn pause(&self) -> Result<(), SupervisorError> {
        let mut inner = self.lock();
        let vm = inner.phase.running()?;
        if inner.state.status != Status::Running {
            // A guest that stands still could not start its first process.
            return Err(SupervisorError::NotRunning);
        }
        inner.phase = Phase::Pausing(vm.clone());
        drop(inner);
        // Not under the lock: a guest may never answer.
        let frozen = vm.guest.freeze();
        let mut inner = self.lock();
        self.changed.notify_all();
        if !inner.phase.is_pausing(&vm) {
            // It has ended, or is about to: who ends it has thawed it.
            return Err(SupervisorError::NotRunning);
        }
        if let Err(failure) = frozen {
            inner.phase = Phase::Running(vm);
            return Err(failure.into());
        }
        // The process that waits outside of the VM's jail stops the VM.
        vm.signal_vmm(Signal::TSTP);
        inner.phase = Phase::Paused(vm);
        Ok(inner.record(|state| state.status = Status::Paused)?)
    }

    /// And the reverse, with the right time.
    pub(in crate::supervisor) fn unpause(&self) -> Result<(), SupervisorError> {
        let pausing = |inner: &mut Inner| matches!(inner.phase, Phase::Pausing(_));
        drop(self.changed.wait_while(self.lock(), pausing));
        let vm = self.resume()?.ok_or(SupervisorError::NotPaused)?;
        Ok(vm.guest.thaw()?)
    }

    /// Lets a paused container see its end. Its guest's answer is not waited for.
    pub(super) fn thaw_for_the_end(&self) -> Result<(), SupervisorError> {
        if let Some(vm) = self.resume()? {
            let thaw = move || drop(vm.guest.thaw());
            thread::Builder::new().name("thaw".into()).spawn(thaw)?;
        }
        Ok(())
    }

    /// Lets the VM of a paused container go on, or keeps that of one from stopping that is being paused.
    fn resume(&self) -> Result<Option<RunningVm>, SupervisorError> {
        let mut inner = self.lock();
        let vm = match inner.phase.clone() {
            Phase::Pausing(vm) | Phase::Paused(vm) => vm,
            _ => return Ok(None),
        };
        vm.signal_vmm(Signal::CONT);
        inner.phase = Phase::Running(vm.clone());
        inner.record(|state| state.status = Status::Running)?;
        Ok(Some(vm))
    }
}
