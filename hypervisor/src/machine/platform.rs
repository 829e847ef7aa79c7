//! The fixed devices of a machine, as far as the event loop has to do with them.

use std::sync::{Arc, Mutex, PoisonError};

use devices::legacy::uart::Uart;

use super::TimedClock;

/// Console and clock.
pub struct Platform {
    /// The console.
    pub uart: Arc<Mutex<dyn Uart>>,
    /// The clock.
    pub clock: Arc<Mutex<TimedClock>>,
}

impl Platform {
    /// The clock's timer ran out.
    pub fn clock_due(&self) {
        self.clock.lock().unwrap_or_else(PoisonError::into_inner).due();
    }
}
