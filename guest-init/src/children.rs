//! The children of PID 1: those that it started, and every orphan.
//!
//! One thread reaps them all. It looks first and reaps under the lock, so that whoever starts a child under the same lock
//! is sure that the child's number stays its own until it is in the table.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use protocol::ExitStatus;
use rustix::io::Errno;
use rustix::process::{Pid, WaitId, WaitIdOptions, WaitOptions, WaitStatus, wait, waitid};

/// Who waits for which child.
#[derive(Default)]
pub struct Children {
    waiting: Mutex<HashMap<Pid, Sender<ExitStatus>>>,
    one_more: Condvar,
}

/// The right to start children.
pub struct SpawnGuard<'a> {
    waiting: MutexGuard<'a, HashMap<Pid, Sender<ExitStatus>>>,
    one_more: &'a Condvar,
}

impl Children {
    /// Nobody is reaped while it lives.
    pub fn spawn_guard(&self) -> SpawnGuard<'_> {
        SpawnGuard { waiting: self.lock(), one_more: &self.one_more }
    }

    /// Reaps for ever.
    pub fn reap(&self) -> ! {
        loop {
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            let nobody = matches!(waitid(WaitId::All, options), Err(Errno::CHILD));
            let mut waiting = self.lock();
            if nobody {
                // With the lock held, what is in the table now has come since.
                if waiting.is_empty() {
                    drop(self.one_more.wait(waiting));
                }
                continue;
            }
            while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
                if let Some(waiter) = waiting.remove(&pid) {
                    // Who does not want to know any more has dropped the other end.
                    let _ = waiter.send(exit_status(status));
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Pid, Sender<ExitStatus>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SpawnGuard<'_> {
    /// A child that was started under this guard, or that one of its children left. Its end will be told.
    pub fn expect(&mut self, pid: Pid) -> Receiver<ExitStatus> {
        let (sender, receiver) = channel();
        self.waiting.insert(pid, sender);
        self.one_more.notify_all();
        receiver
    }
}

/// The part of a wait status that the host is told.
pub(crate) fn exit_status(status: WaitStatus) -> ExitStatus {
    let byte = |number: i32| u8::try_from(number & 0xff).unwrap_or(u8::MAX);
    match status.terminating_signal() {
        Some(signal) => ExitStatus::Signal(byte(signal)),
        None => ExitStatus::Code(byte(status.exit_status().unwrap_or_default())),
    }
}
