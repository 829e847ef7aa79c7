//! The fixed devices of the aarch64 machine, both of them behind registers in memory.

use arch::aarch64::layout;

use crate::bus::{Buses, SharedDevice};

pub use arch::aarch64::layout::{PL011_GSI as UART_GSI, PL031_GSI as CLOCK_GSI};
pub use devices::fixed::pl011::Pl011 as Uart;
pub use devices::fixed::pl031::Pl031 as Clock;

/// The others, of which there are none.
pub struct Fixed;

/// Puts these two on the bus.
pub fn plug(uart: SharedDevice, clock: SharedDevice, buses: &mut Buses) -> Fixed {
    buses.mmio.insert(layout::PL011, layout::PL011_LEN, uart);
    buses.mmio.insert(layout::PL031, layout::PL031_LEN, clock);
    Fixed
}
