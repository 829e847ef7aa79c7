//! The fixed devices of the x86_64 machine, all of them behind ports.

use std::sync::{Arc, Mutex};

use arch::x86_64::layout;
use devices::fixed::acpi_power::AcpiPower;
use devices::fixed::i8042::I8042;

use crate::bus::{Buses, SharedDevice};

pub use arch::x86_64::layout::{COM1_GSI as UART_GSI, RTC_GSI as CLOCK_GSI};
pub use devices::fixed::rtc::Rtc as Clock;
pub use devices::fixed::serial::Serial as Uart;

/// Puts these two on the bus, and the keyboard controller and the power registers.
pub fn plug(uart: SharedDevice, clock: SharedDevice, buses: &mut Buses) {
    let mut insert = |first: u16, length: u16, device| {
        buses.ports.insert(first.into(), length.into(), device);
    };
    insert(layout::COM1, layout::COM1_LEN, uart);
    insert(layout::RTC, layout::RTC_LEN, clock);
    insert(layout::I8042, layout::I8042_LEN, Arc::new(Mutex::new(I8042::new())));
    let power = Arc::new(Mutex::new(AcpiPower::new()));
    insert(layout::ACPI_POWER, layout::ACPI_POWER_LEN, power);
}
