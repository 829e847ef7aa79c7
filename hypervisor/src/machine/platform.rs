//! The fixed devices of a machine.

use std::sync::{Arc, Mutex, PoisonError};

use devices::fixed::uart::Uart;

use super::clock::{HostClock, TimedClock};
use crate::bus::Buses;
use crate::console;
use crate::error::VmmError;
use crate::event::{Poll, Source, Wake};
use crate::kvm::Vm;
use crate::native;

/// Console and clock, with which the event loop has to do, and the others, of which nobody else keeps the kind.
pub struct Platform {
    /// The console.
    pub uart: Arc<Mutex<dyn Uart>>,
    clock: Arc<Mutex<TimedClock>>,
    _fixed: native::Fixed,
}

impl Platform {
    /// Makes the devices, and puts them on the buses with the fixed ones that need no care.
    pub fn new(vm: &Vm, buses: &mut Buses, poll: &Poll, wake: &Wake) -> Result<Self, VmmError> {
        let output = console::output().map_err(VmmError::system("stdout"))?;
        let irq = vm.irq_line(native::UART_GSI)?;
        let mut uart = native::Uart::new(Box::new(output), Box::new(irq));
        uart.on_input_drained(Box::new(wake.clone()));
        let uart = Arc::new(Mutex::new(uart));

        let irq = vm.irq_line(native::CLOCK_GSI)?;
        let clock = native::Clock::new(Box::new(HostClock), Box::new(irq));
        let clock = TimedClock::new(Box::new(clock)).map_err(VmmError::system("timerfd"))?;
        poll.add(&clock, Source::Clock).map_err(VmmError::system("epoll"))?;
        let clock = Arc::new(Mutex::new(clock));

        let fixed = native::plug(uart.clone(), clock.clone(), buses);
        Ok(Platform { uart, clock, _fixed: fixed })
    }

    /// The clock's timer ran out.
    pub fn clock_due(&self) {
        self.clock.lock().unwrap_or_else(PoisonError::into_inner).due();
    }
}
