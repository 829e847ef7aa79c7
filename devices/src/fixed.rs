//! The fixed devices of both machines, those that are always there and at the same place.
//!
//! The PC's are behind byte-wide ports, and a kernel has expected them ever since 1981:
//!
//! | module | what | where on the x86_64 machine |
//! |---|---|---|
//! | [`serial`] | 16550A serial port: the console | ports 0x3f8 to 0x3ff, IRQ 4 |
//! | [`rtc`] | MC146818 clock with its CMOS memory | ports 0x70 and 0x71, IRQ 8 |
//! | [`i8042`] | keyboard controller, without a keyboard: reset and A20 | ports 0x60 to 0x64 |
//! | [`acpi_power`] | sleep and reset registers of hardware-reduced ACPI | ports 0x600 to 0x602 |
//!
//! The Arm machine's are PrimeCells, behind words in memory; the device tree says where:
//!
//! | module | what | where on the aarch64 machine |
//! |---|---|---|
//! | [`pl011`] | UART: the console | 4 KiB at 0x0900_0000, SPI 1 |
//! | [`pl031`] | clock | 4 KiB at 0x0901_0000, SPI 2 |
//!
//! The host treats the two consoles alike as a [`uart::Uart`], and the two clocks as a [`clock::RealTimeClock`].

pub mod acpi_power;
pub mod clock;
pub mod i8042;
pub mod pl011;
pub mod pl031;
pub mod rtc;
pub mod serial;
pub mod uart;

mod output;
mod primecell;

use crate::Outcome;

/// Reads byte-wide registers: as on an ISA bus, a wider access is that many accesses to neighbouring registers.
fn read_bytes(offset: u64, data: &mut [u8], mut register: impl FnMut(u64) -> u8) {
    for (i, byte) in (0..).zip(data) {
        *byte = register(offset.wrapping_add(i));
    }
}

/// Writes byte-wide registers, lowest first, until one of them stops the machine.
fn write_bytes(offset: u64, data: &[u8], mut register: impl FnMut(u64, u8) -> Outcome) -> Outcome {
    (0..)
        .zip(data)
        .map(|(i, &byte)| register(offset.wrapping_add(i), byte))
        .find(|outcome| *outcome != Outcome::Continue)
        .unwrap_or(Outcome::Continue)
}
