//! Off.

use super::cpu::halt_forever;
use super::psci;

/// Switches the machine off.
pub fn off() -> ! {
    psci::call(psci::SYSTEM_OFF, [0; 3]);
    halt_forever()
}
