//! The fixed devices of the x86_64 machine, all of them behind ports.

use std::sync::{Arc, Mutex};

use arch::x86_64::layout;
use devices::fixed::acpi_power::AcpiPower;
use devices::fixed::i8042::I8042;

use crate::bus::{Buses, SharedDevice};

pub use arch::x86_64::layout::{COM1_GSI as UART_GSI, RTC_GSI as CLOCK_GSI};
pub use devices::fixed::rtc::Rtc as Clock;
pub use devices::fixed::serial::Serial as Uart;

/// The keyboard controller and the power registers.
pub type Fixed = (Arc<Mutex<I8042>>, Arc<Mutex<AcpiPower>>);

/// Puts these two on the bus, and those that it gives.
pub fn plug(uart: SharedDevice, clock: SharedDevice, buses: &mut Buses) -> Fixed {
    let mut insert = |first: u16, length: u16, device| {
        buses.ports.insert(first.into(), length.into(), device);
    };
    insert(layout::COM1, layout::COM1_LEN, uart);
    insert(layout::RTC, layout::RTC_LEN, clock);
    let keyboard = Arc::new(Mutex::new(I8042::new()));
    insert(layout::I8042, layout::I8042_LEN, keyboard.clone());
    let power = Arc::new(Mutex::new(AcpiPower::new()));
    insert(layout::ACPI_POWER, layout::ACPI_POWER_LEN, power.clone());
    (keyboard, power)
}
