//! The fixed devices of the x86_64 machine, all of them behind ports.

use std::sync::{Arc, Mutex, PoisonError};

use arch::x86_64::layout;
use devices::legacy::acpi_power::AcpiPower;
use devices::legacy::i8042::I8042;
use devices::legacy::rtc::Rtc;
use devices::legacy::serial::Serial;
use devices::legacy::uart::Uart;

use super::clock::{HostClock, TimedRtc};
use crate::bus::Bus;
use crate::console;
use crate::error::VmmError;
use crate::event::{Poll, Source, Wake};
use crate::kvm::Vm;

/// Those of them with which the event loop has to do.
pub struct Platform {
    /// The console.
    pub serial: Arc<Mutex<Serial>>,
    clock: Arc<Mutex<TimedRtc>>,
}

impl Platform {
    /// Makes the devices and puts them on the port bus.
    pub fn new(vm: &Vm, ports: &mut Bus, poll: &Poll, wake: &Wake) -> Result<Self, VmmError> {
        let output = console::output().map_err(VmmError::system("stdout"))?;
        let serial_irq = vm.irq_line(layout::COM1_GSI)?;
        let mut serial = Serial::new(Box::new(output), Box::new(serial_irq));
        serial.on_input_drained(Box::new(wake.clone()));
        let serial = Arc::new(Mutex::new(serial));

        let clock_irq = vm.irq_line(layout::RTC_GSI)?;
        let rtc = Rtc::new(Box::new(HostClock), Box::new(clock_irq));
        let clock = TimedRtc::new(rtc).map_err(VmmError::system("timerfd"))?;
        poll.add(&clock, Source::Clock).map_err(VmmError::system("epoll"))?;
        let clock = Arc::new(Mutex::new(clock));

        let mut insert = |first: u16, length: u16, device| {
            ports.insert(first.into(), length.into(), device);
        };
        insert(layout::COM1, layout::COM1_LEN, serial.clone());
        insert(layout::RTC, layout::RTC_LEN, clock.clone());
        insert(layout::I8042, layout::I8042_LEN, Arc::new(Mutex::new(I8042::new())));
        let power = Arc::new(Mutex::new(AcpiPower::new()));
        insert(layout::ACPI_POWER, layout::ACPI_POWER_LEN, power);
        Ok(Platform { serial, clock })
    }

    /// The clock's timer ran out.
    pub fn clock_due(&self) {
        self.clock.lock().unwrap_or_else(PoisonError::into_inner).due();
    }
}
