//! How a VM ends: the first reason counts, and wakes the event loop.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use devices::Outcome;

use crate::event::Wake;

/// Why a VM ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The guest switched itself off.
    PowerOff,
    /// The guest asked for a reset.
    Reset,
    /// The guest faulted while it handled a double fault, which resets a PC. Some kernels do so on
    /// purpose (`reboot=t`).
    TripleFault,
    /// This process was asked to end, by SIGTERM or SIGINT.
    Signal,
    /// The VM can't go on.
    Failure(String),
}

impl Stop {
    /// What a register write asks for, if that ends the VM.
    pub fn from_outcome(outcome: Outcome) -> Option<Stop> {
        match outcome {
            Outcome::Continue => None,
            Outcome::Reset => Some(Stop::Reset),
            Outcome::PowerOff => Some(Stop::PowerOff),
        }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stop::PowerOff => "the guest switched itself off",
            Stop::Reset => "the guest asked for a reset",
            Stop::TripleFault => "the guest reset itself by a triple fault",
            Stop::Signal => "stopped by a signal",
            Stop::Failure(reason) => reason,
        })
    }
}

/// Where vCPUs and the event loop leave the reason to stop.
pub struct StopRequest {
    first: Mutex<Option<Stop>>,
    wake: Wake,
}

impl StopRequest {
    /// No reason yet; one will wake whoever waits for `wake`.
    pub fn new(wake: Wake) -> Self {
        StopRequest { first: Mutex::new(None), wake }
    }

    /// Leaves a reason. Only the first counts.
    pub fn request(&self, stop: Stop) {
        self.first.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(stop);
        self.wake.wake();
    }

    /// The reason, if there is one.
    pub fn reason(&self) -> Option<Stop> {
        self.first.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
