//! The fixed devices of a machine.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use devices::Device;
use devices::fixed::uart::Uart;

use super::clock::{HostClock, TimedClock};
use crate::bus::Buses;
use crate::console;
use crate::error::VmmError;
use crate::event::{Poll, Source, Wake};
use crate::kvm::Vm;
use crate::native;
use crate::native::state::FixedState;
use crate::snapshot::RestoreError;

/// Console and clock, with which the event loop has to do, and the others, of which nobody else keeps the kind.
pub struct Platform {
    /// The console.
    pub uart: Arc<Mutex<native::Uart>>,
    clock: Arc<Mutex<TimedClock<native::Clock>>>,
    others: native::Fixed,
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
        let clock = TimedClock::new(clock).map_err(VmmError::system("timerfd"))?;
        poll.add(&clock, Source::Clock).map_err(VmmError::system("epoll"))?;
        let clock = Arc::new(Mutex::new(clock));

        let others = native::plug(uart.clone(), clock.clone(), buses);
        Ok(Platform { uart, clock, others })
    }

    /// The clock's timer ran out.
    pub fn clock_due(&self) {
        lock(&self.clock).due();
    }

    /// The state of all of them.
    pub fn save(&self) -> FixedState {
        let others = native::save_others(&self.others);
        FixedState { uart: lock(&self.uart).save(), clock: lock(&self.clock).save(), others }
    }

    /// Takes it over.
    pub fn restore(&self, state: &FixedState) -> Result<(), RestoreError> {
        let named = |name: &str| {
            let name = name.to_owned();
            move |error| RestoreError::Device { name, error }
        };
        lock(&self.uart).restore(&state.uart).map_err(named("console"))?;
        lock(&self.clock).restore(&state.clock).map_err(named("clock"))?;
        native::restore_others(&self.others, &state.others).map_err(named("fixed devices"))
    }

    /// The machine stood still, and goes on: an interrupt that was lost meanwhile comes again.
    pub fn resume(&self) {
        lock(&self.uart).resume();
        lock(&self.clock).resume();
    }
}

fn lock<T>(device: &Mutex<T>) -> MutexGuard<'_, T> {
    device.lock().unwrap_or_else(PoisonError::into_inner)
}
