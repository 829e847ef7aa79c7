//! The fixed devices of the x86_64 machine, all of them behind ports.

use std::sync::{Arc, Mutex};

use arch::x86_64::layout;
use devices::legacy::acpi_power::AcpiPower;
use devices::legacy::i8042::I8042;
use devices::legacy::rtc::Rtc;
use devices::legacy::serial::Serial;
use devices::legacy::uart::Uart;

use crate::bus::Bus;
use crate::console;
use crate::error::VmmError;
use crate::event::{Poll, Source, Wake};
use crate::kvm::Vm;
use crate::machine::{HostClock, Platform, TimedClock};

/// Makes the devices and puts them on the bus for ports.
pub fn platform(
    vm: &Vm,
    ports: &mut Bus,
    _mmio: &mut Bus,
    poll: &Poll,
    wake: &Wake,
) -> Result<Platform, VmmError> {
    let output = console::output().map_err(VmmError::system("stdout"))?;
    let serial_irq = vm.irq_line(layout::COM1_GSI)?;
    let mut serial = Serial::new(Box::new(output), Box::new(serial_irq));
    serial.on_input_drained(Box::new(wake.clone()));
    let serial = Arc::new(Mutex::new(serial));

    let clock_irq = vm.irq_line(layout::RTC_GSI)?;
    let rtc = Rtc::new(Box::new(HostClock), Box::new(clock_irq));
    let clock = TimedClock::new(Box::new(rtc)).map_err(VmmError::system("timerfd"))?;
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
    Ok(Platform { uart: serial, clock })
}
