//! Off.

use super::cpu::{halt_forever, out_byte};

/// ACPI sleep control register: SLP_EN with the type of S5 (ACPI 6.5 §4.8.3.7).
const SLEEP_CONTROL: u16 = 0x600;
const SLEEP_ENABLE_S5: u8 = 1 << 5 | 5 << 2;
/// i8042: pulse the processor's reset line, which also ends a VMM without that register.
const I8042_COMMAND: u16 = 0x64;
const PULSE_RESET: u8 = 0xfe;

/// Switches the machine off.
pub fn off() -> ! {
    out_byte(SLEEP_CONTROL, SLEEP_ENABLE_S5);
    out_byte(I8042_COMMAND, PULSE_RESET);
    halt_forever()
}
