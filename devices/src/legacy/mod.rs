//! The fixed devices of a PC that a kernel still expects, each behind a few byte-wide registers.
//!
//! | module | what | where on the x86_64 machine |
//! |---|---|---|
//! | [`serial`] | 16550A serial port: the console | ports 0x3f8 to 0x3ff, IRQ 4 |
//! | [`rtc`] | MC146818 clock with its CMOS memory | ports 0x70 and 0x71, IRQ 8 |
//! | [`i8042`] | keyboard controller, without a keyboard: reset and A20 | ports 0x60 to 0x64 |
//! | [`acpi_power`] | sleep and reset registers of hardware-reduced ACPI | ports 0x600 to 0x602 |

pub mod acpi_power;
pub mod i8042;
pub mod rtc;
pub mod serial;

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
