//! What the threads of a supervisor share: where the container is in its life, and what may be done to it there.

mod pausing;
#[cfg(test)]
pub(super) mod testing;

use std::os::fd::BorrowedFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::Signal;

use super::error::SupervisorError;
use super::input::Input;
use super::output::Output;
use super::phase::{Phase, RunningVm};
use crate::container::{ContainerError, State, Tenure};
use crate::conversation::Guest;
use crate::limits;
use crate::network::{NetworkState, Reports};
use crate::vm::VmError;
use host::terminal;

pub(super) const KILL: u8 = Signal::KILL.as_raw() as u8;

/// The container of this process.
pub(super) struct Lifecycle {
    inner: Mutex<Inner>,
    changed: Condvar,
    /// What the interfaces of its last VM tell.
    reports: Mutex<Arc<Reports>>,
    pub(super) output: Arc<Output>,
    pub(super) input: Input,
}

struct Inner {
    phase: Phase,
    /// What is on the disk.
    state: State,
    /// Until its end is written down.
    tenure: Option<Tenure>,
    /// Somebody wants it ended: it is not started again.
    stopping: bool,
    /// By SIGKILL.
    killed: bool,
    /// By this signal, which came before there was a VM.
    early: Option<u8>,
    /// How often it has ended, and how the last time.
    ends: u32,
    last_status: u8,
}

impl Lifecycle {
    pub(super) fn new(tenure: Tenure, state: State, output: Output) -> Self {
        let inner = Inner {
            phase: Phase::Waiting,
            state,
            tenure: Some(tenure),
            stopping: false,
            killed: false,
            early: None,
            ends: 0,
            last_status: 0,
        };
        let (output, input) = (Arc::new(output), Input::default());
        let (inner, reports) = (Mutex::new(inner), Mutex::default());
        Self { inner, changed: Condvar::new(), reports, output, input }
    }

    /// The VM is there. Its process may not run yet.
    pub(super) fn entered(&self, guest: &Guest, vmm: BorrowedFd<'_>) -> Result<(), VmError> {
        let vmm = Arc::new(vmm.try_clone_to_owned().map_err(VmError::Stdio)?);
        let mut inner = self.lock();
        inner.phase = Phase::Running(RunningVm { guest: guest.clone(), vmm });
        if let Some(number) = inner.early.take() {
            guest.signal(0, number);
        }
        Ok(())
    }

    /// From now on these interfaces are the container's.
    pub(super) fn set_reports(&self, reports: &Arc<Reports>) {
        *self.reports.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(reports);
    }

    /// What they tell.
    pub(super) fn reports(&self) -> Arc<Reports> {
        Arc::clone(&self.reports.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// There is no process any more that could be told something.
    pub(super) fn leaving(&self) {
        self.lock().phase = Phase::Leaving;
        self.changed.notify_all();
    }

    /// Writes the state down, as `change` makes it.
    pub(super) fn record(&self, change: impl FnOnce(&mut State)) -> Result<(), ContainerError> {
        self.lock().record(change)
    }

    /// What it had of networks the last time that it ran.
    pub(super) fn network(&self) -> NetworkState {
        self.lock().state.network.clone()
    }

    /// It has ended with this status, and may be started again.
    pub(super) fn ended(&self, status: u8) {
        let mut inner = self.lock();
        inner.phase = Phase::Waiting;
        inner.ends += 1;
        inner.last_status = status;
        self.changed.notify_all();
    }

    /// It has ended for good, and the state says so: everybody may know.
    pub(super) fn over(&self, status: u8) {
        let mut inner = self.lock();
        inner.phase = Phase::Over;
        inner.ends += 1;
        inner.last_status = status;
        self.changed.notify_all();
    }

    /// Whether somebody wants it ended.
    pub(super) fn is_stopping(&self) -> bool {
        self.lock().stopping
    }

    /// Whether it was sent SIGKILL.
    pub(super) fn is_killed(&self) -> bool {
        self.lock().killed
    }

    /// Its last state, to be written down, and the right to do that: from now on nobody else does.
    pub(super) fn finish(&self, change: impl FnOnce(&mut State)) -> Option<(Tenure, State)> {
        let mut inner = self.lock();
        change(&mut inner.state);
        Some((inner.tenure.take()?, inner.state.clone()))
    }

    /// Waits before a restart. False: somebody wants it ended.
    pub(super) fn may_restart_after(&self, time: Duration) -> bool {
        let inner = self.lock();
        let wait = self.changed.wait_timeout_while(inner, time, |inner| !inner.stopping);
        !wait.unwrap_or_else(PoisonError::into_inner).0.stopping
    }

    /// How often it has ended.
    pub(super) fn ends(&self) -> u32 {
        self.lock().ends
    }

    /// Waits until it has ended more often than that; the status of the last time. `None`: who wants to know it has left.
    pub(super) fn wait(&self, ends: u32, has_left: impl Fn() -> bool) -> Option<u8> {
        let going_on =
            |inner: &mut Inner| inner.ends == ends && !matches!(inner.phase, Phase::Over);
        let mut inner = self.lock();
        while going_on(&mut inner) {
            if has_left() {
                return None;
            }
            let wait = self.changed.wait_timeout_while(inner, limits::GLANCE, going_on);
            inner = wait.unwrap_or_else(PoisonError::into_inner).0;
        }
        Some(inner.last_status)
    }

    /// Sends a signal to the container's first process. One that `ends` it is also for one that is paused, or not up yet, and
    /// after it the container is not started again. SIGKILL ends it whatever its guest does, and returns when that is done.
    pub(super) fn signal(&self, number: u8, ends: bool) -> Result<(), SupervisorError> {
        if !ends {
            self.running()?.guest.signal(0, number);
            return Ok(());
        }
        if number == KILL {
            return self.kill();
        }
        self.thaw_for_the_end()?;
        self.send(number);
        Ok(())
    }

    fn send(&self, number: u8) {
        let mut inner = self.lock();
        match inner.phase.running_vm() {
            Some(vm) => vm.guest.signal(0, number),
            None => inner.early = Some(number),
        }
        inner.killed |= number == KILL;
        inner.stopping = true;
        self.changed.notify_all();
    }

    /// Gives the container's terminal the size of this process's.
    pub(super) fn resize(&self) {
        if let (Ok(vm), Some(size)) = (self.running(), terminal::size()) {
            vm.guest.resize(0, size);
        }
    }

    /// Ends the container, as docker does: the signal, then SIGKILL.
    pub(super) fn stop(&self, number: u8, timeout: Duration) -> Result<(), SupervisorError> {
        self.signal(number, true)?;
        if !self.has_left_after(timeout) {
            return self.kill();
        }
        self.wait_for_the_end();
        Ok(())
    }

    fn kill(&self) -> Result<(), SupervisorError> {
        self.thaw_for_the_end()?;
        self.send(KILL);
        if !self.has_left_after(limits::READERS) {
            self.output.abandon();
            if !self.has_left_after(limits::GUEST)
                && let Some(vm) = self.lock().phase.running_vm()
            {
                vm.signal_vmm(Signal::KILL);
            }
        }
        self.wait_for_the_end();
        Ok(())
    }

    /// Whether its process ends within this time. What comes after that is bounded.
    fn has_left_after(&self, time: Duration) -> bool {
        let stays = |inner: &mut Inner| !matches!(inner.phase, Phase::Leaving | Phase::Over);
        let wait = self.changed.wait_timeout_while(self.lock(), time, stays);
        !wait.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    fn wait_for_the_end(&self) {
        let going_on = |inner: &mut Inner| !matches!(inner.phase, Phase::Over);
        drop(self.changed.wait_while(self.lock(), going_on));
    }

    /// Its guest, when it runs and is not paused.
    pub(super) fn running(&self) -> Result<RunningVm, SupervisorError> {
        self.lock().phase.running()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Whoever panicked did not change half of it.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn record(&mut self, change: impl FnOnce(&mut State)) -> Result<(), ContainerError> {
        change(&mut self.state);
        match &mut self.tenure {
            Some(tenure) => tenure.set(&self.state),
            None => Ok(()),
        }
    }
}
