//! Power registers of hardware-reduced ACPI: switch off and reset.
//!
//! A machine without the old PM1 control block has two byte registers for sleep (ACPI 6.5 §4.8.3.7) and, like any
//! machine, a reset register (§4.8.3.6). The FADT tells the guest where they are, and the `_S5_` object in the DSDT which sleep
//! type means "off".
//!
//! | offset | register | bits |
//! |---|---|---|
//! | 0 | sleep control | 2 to 4: sleep type; 5: sleep enable, write only |
//! | 1 | sleep status | 7: woken up; never set, since this machine never sleeps |
//! | 2 | reset | the value 1 resets |

use serde::{Deserialize, Serialize};

use super::{read_bytes, write_bytes};
use crate::{Device, Outcome, Registers, RestoreError};

/// The sleep type that means soft off: what `_S5_` says in the DSDT.
pub const S5: u8 = 5;
/// The FADT's RESET_VALUE.
pub const RESET_VALUE: u8 = 1;

const SLEEP_CONTROL: u64 = 0;
const RESET: u64 = 2;

/// SLP_TYPx (ACPI 6.5 table 4.17).
const SLEEP_TYPE: u8 = 0b111 << 2;
/// SLP_EN (ACPI 6.5 table 4.17).
const SLEEP_ENABLE: u8 = 1 << 5;

/// The sleep and reset registers.
#[derive(Debug, Default)]
pub struct AcpiPower {
    state: AcpiPowerState,
}

/// What a snapshot holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcpiPowerState {
    sleep_type: u8,
}

impl AcpiPower {
    /// Registers as after power-on.
    pub fn new() -> Self {
        Self::default()
    }

    fn write_sleep_control(&mut self, value: u8) -> Outcome {
        self.state.sleep_type = value & SLEEP_TYPE;
        let off = SLEEP_ENABLE | S5 << 2;
        if value & (SLEEP_ENABLE | SLEEP_TYPE) == off {
            Outcome::PowerOff
        } else {
            Outcome::Continue
        }
    }
}

impl Registers for AcpiPower {
    fn read(&mut self, offset: u64, data: &mut [u8]) {
        read_bytes(offset, data, |register| match register {
            SLEEP_CONTROL => self.state.sleep_type,
            _ => 0,
        });
    }

    fn write(&mut self, offset: u64, data: &[u8]) -> Outcome {
        write_bytes(offset, data, |register, value| match register {
            SLEEP_CONTROL => self.write_sleep_control(value),
            RESET if value == RESET_VALUE => Outcome::Reset,
            _ => Outcome::Continue,
        })
    }
}

impl Device for AcpiPower {
    type State = AcpiPowerState;

    fn reset(&mut self) {
        self.state = AcpiPowerState::default();
    }

    fn save(&self) -> AcpiPowerState {
        self.state.clone()
    }

    fn restore(&mut self, state: &AcpiPowerState) -> Result<(), RestoreError> {
        if state.sleep_type & !SLEEP_TYPE != 0 {
            return Err(RestoreError::new(
                "acpi_power",
                "sleep_type",
                state.sleep_type,
                "within bits 2 to 4",
            ));
        }
        self.state = state.clone();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn s5_with_sleep_enable_switches_off() {
        let mut power = AcpiPower::new();
        assert_eq!(power.write(0, &[S5 << 2]), Outcome::Continue);
        assert_eq!(power.write(0, &[0x20 | S5 << 2]), Outcome::PowerOff);
    }

    #[test]
    fn other_sleep_types_are_ignored_and_sleep_enable_reads_as_zero() {
        let mut power = AcpiPower::new();
        for sleep_type in (0..8).filter(|t| *t != S5) {
            assert_eq!(power.write(0, &[0x20 | sleep_type << 2]), Outcome::Continue);
            let mut byte = [0xff];
            power.read(0, &mut byte);
            assert_eq!(byte, [sleep_type << 2]);
        }
    }

    #[test]
    fn only_the_reset_value_resets() {
        let mut power = AcpiPower::new();
        for value in 0..=255 {
            let want = if value == RESET_VALUE { Outcome::Reset } else { Outcome::Continue };
            assert_eq!(power.write(2, &[value]), want);
        }
    }

    #[test]
    fn a_wide_write_reaches_each_register() {
        assert_eq!(AcpiPower::new().write(1, &[0, 1]), Outcome::Reset);
        assert_eq!(AcpiPower::new().write(0, &[0x34, 0, 1, 0]), Outcome::PowerOff);
    }

    #[test]
    fn a_forged_state_is_refused() {
        let error = AcpiPower::new().restore(&AcpiPowerState { sleep_type: 0xff }).unwrap_err();
        assert!(error.to_string().contains("sleep_type is 255"), "{error}");
    }

    proptest! {
        #[test]
        fn save_and_restore_change_no_answer(
            before in any::<(u64, [u8; 4])>(),
            offset in 0u64..4,
            len in prop::sample::select(vec![1usize, 2, 4, 8]),
        ) {
            let mut original = AcpiPower::new();
            original.write(before.0, &before.1);
            original.write(before.0 % 4, &before.1);
            let mut copy = AcpiPower::new();
            copy.restore(&original.save()).unwrap();
            let (mut a, mut b) = ([0xaa; 8], [0x55; 8]);
            original.read(offset, &mut a[..len]);
            copy.read(offset, &mut b[..len]);
            prop_assert_eq!(&a[..len], &b[..len]);
        }
    }
}
