//! i8042 keyboard controller without keyboard and mouse.
//!
//! Two things in it outlived the keyboard: the pin that resets the processor (a kernel's `reboot=k` sends 0xfe) and
//! the gate of address line 20. The rest answers a driver's probe at once and says that nothing is attached:
//! a question without an answer would cost the driver half a second each.
//!
//! | offset | read | write |
//! |---|---|---|
//! | 0 | data (port 0x60) | data, or the parameter of a command |
//! | 1 | system port B (port 0x61) | nothing |
//! | 4 | status (port 0x64) | command |
//!
//! Sources: IBM PS/2 Hardware Interface Technical Reference, "Keyboard and Auxiliary Device Controller"; Intel 8242 datasheet.

use serde::{Deserialize, Serialize};

use super::{read_bytes, write_bytes};
use crate::{Device, Outcome, Registers, RestoreError};

const DATA: u64 = 0;
const PORT_B: u64 = 1;
const STATUS_AND_COMMAND: u64 = 4;

/// Status: a byte waits in the data register.
const STATUS_OUTPUT_FULL: u8 = 1 << 0;
/// Status: the self-test passed.
const STATUS_SYSTEM: u8 = 1 << 2;
/// Status: the last write was a command, not data.
const STATUS_COMMAND: u8 = 1 << 3;
/// Status: the keyboard is not locked.
const STATUS_UNLOCKED: u8 = 1 << 4;

/// System port B: the output of timer channel 2. A kernel that times its TSC with that channel waits for this bit.
const PORT_B_TIMER_2: u8 = 1 << 5;

/// Output port: low resets the processor.
const OUTPUT_NO_RESET: u8 = 1 << 0;
/// Output port: address line 20 is passed on.
const OUTPUT_A20: u8 = 1 << 1;
/// Controller command byte after power-on: both device clocks off (bits 4 and 5).
const COMMAND_BYTE_AT_POWER_ON: u8 = 0x30;

/// The keyboard controller.
#[derive(Debug, Default)]
pub struct I8042 {
    state: I8042State,
}

/// What a snapshot holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct I8042State {
    command_byte: u8,
    output_port: u8,
    output: Option<u8>,
    parameter_of: Option<Parameter>,
    self_tested: bool,
    last_was_command: bool,
}

/// The command whose parameter the next data write is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Parameter {
    CommandByte,
    OutputPort,
    /// "Write to the output buffer": the parameter comes back as if a device had sent it.
    Loopback,
    /// "Write to the mouse": swallowed, there is none.
    Mouse,
}

impl Default for I8042State {
    fn default() -> Self {
        Self {
            command_byte: COMMAND_BYTE_AT_POWER_ON,
            output_port: OUTPUT_NO_RESET | OUTPUT_A20,
            output: None,
            parameter_of: None,
            self_tested: false,
            last_was_command: false,
        }
    }
}

impl I8042 {
    /// A controller as after power-on.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether address line 20 is open. The model only remembers it: KVM never masks the line.
    pub fn a20(&self) -> bool {
        self.state.output_port & OUTPUT_A20 != 0
    }

    fn status(&self) -> u8 {
        let flag = |on: bool, bit: u8| if on { bit } else { 0 };
        STATUS_UNLOCKED
            | flag(self.state.output.is_some(), STATUS_OUTPUT_FULL)
            | flag(self.state.self_tested, STATUS_SYSTEM)
            | flag(self.state.last_was_command, STATUS_COMMAND)
    }

    fn command(&mut self, command: u8) -> Outcome {
        self.state.last_was_command = true;
        self.state.parameter_of = None;
        match command {
            0x20 => self.answer(self.state.command_byte),
            0x60 => self.state.parameter_of = Some(Parameter::CommandByte),
            // Mouse clock off and on, keyboard clock off and on: bits of the command byte.
            0xa7 => self.state.command_byte |= 1 << 5,
            0xa8 => self.state.command_byte &= !(1 << 5),
            0xad => self.state.command_byte |= 1 << 4,
            0xae => self.state.command_byte &= !(1 << 4),
            // Test of the mouse's lines: "clock line stuck low", so there is no mouse port.
            0xa9 => self.answer(0x01),
            0xaa => {
                self.state.self_tested = true;
                self.answer(0x55);
            }
            // Test of the keyboard's lines: no fault.
            0xab => self.answer(0x00),
            0xd0 => self.answer(self.state.output_port),
            0xd1 => self.state.parameter_of = Some(Parameter::OutputPort),
            // Linux writes to the mouse's output buffer to see if the port exists; the answer lacks the "from the mouse"
            // status bit, so it does not.
            0xd2 | 0xd3 => self.state.parameter_of = Some(Parameter::Loopback),
            0xd4 => self.state.parameter_of = Some(Parameter::Mouse),
            0xdd => self.state.output_port &= !OUTPUT_A20,
            0xdf => self.state.output_port |= OUTPUT_A20,
            // Pulse output lines low: bit 0 clear is the reset line.
            0xf0..=0xff if command & OUTPUT_NO_RESET == 0 => return Outcome::Reset,
            _ => {}
        }
        Outcome::Continue
    }

    fn data(&mut self, value: u8) -> Outcome {
        self.state.last_was_command = false;
        match self.state.parameter_of.take() {
            Some(Parameter::CommandByte) => self.state.command_byte = value,
            Some(Parameter::OutputPort) if value & OUTPUT_NO_RESET == 0 => return Outcome::Reset,
            Some(Parameter::OutputPort) => self.state.output_port = value,
            Some(Parameter::Loopback) => self.answer(value),
            // To a mouse or a keyboard, neither of which is there.
            Some(Parameter::Mouse) | None => {}
        }
        Outcome::Continue
    }

    fn answer(&mut self, value: u8) {
        self.state.output = Some(value);
    }
}

impl Registers for I8042 {
    fn read(&mut self, offset: u64, data: &mut [u8]) {
        read_bytes(offset, data, |register| match register {
            DATA => self.state.output.take().unwrap_or(0),
            PORT_B => PORT_B_TIMER_2,
            STATUS_AND_COMMAND => self.status(),
            _ => 0xff,
        });
    }

    fn write(&mut self, offset: u64, data: &[u8]) -> Outcome {
        write_bytes(offset, data, |register, value| match register {
            DATA => self.data(value),
            STATUS_AND_COMMAND => self.command(value),
            _ => Outcome::Continue,
        })
    }
}

impl Device for I8042 {
    type State = I8042State;

    fn reset(&mut self) {
        self.state = I8042State::default();
    }

    fn save(&self) -> I8042State {
        self.state.clone()
    }

    /// Every combination of the fields is a state that some guest can bring about.
    fn restore(&mut self, state: &I8042State) -> Result<(), RestoreError> {
        self.state = state.clone();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn get(controller: &mut I8042, offset: u64) -> u8 {
        let mut byte = [0];
        controller.read(offset, &mut byte);
        byte[0]
    }

    fn put(controller: &mut I8042, offset: u64, value: u8) {
        assert_eq!(controller.write(offset, &[value]), Outcome::Continue);
    }

    #[test]
    fn both_ways_to_reset() {
        assert_eq!(I8042::new().write(4, &[0xfe]), Outcome::Reset);
        assert_eq!(I8042::new().write(4, &[0xff]), Outcome::Continue);
        let mut controller = I8042::new();
        put(&mut controller, 4, 0xd1);
        assert_eq!(controller.write(0, &[0x02]), Outcome::Reset);
    }

    /// The order of Linux's drivers/input/serio/i8042.c: flush, self-test, command byte, mouse, keyboard.
    #[test]
    fn linux_probe_finds_a_controller_and_no_mouse() {
        let mut c = I8042::new();
        assert_eq!(get(&mut c, 4) & STATUS_OUTPUT_FULL, 0, "nothing to flush");
        put(&mut c, 4, 0xaa);
        assert_eq!((get(&mut c, 4) & STATUS_OUTPUT_FULL, get(&mut c, 0)), (1, 0x55));
        assert_eq!(get(&mut c, 4) & STATUS_SYSTEM, STATUS_SYSTEM);
        put(&mut c, 4, 0x20);
        let command_byte = get(&mut c, 0);
        put(&mut c, 4, 0x60);
        put(&mut c, 0, command_byte | 1);
        put(&mut c, 4, 0x20);
        assert_eq!(get(&mut c, 0), command_byte | 1);
        put(&mut c, 4, 0xd3);
        put(&mut c, 0, 0x5a);
        assert_eq!(get(&mut c, 4) & 0x21, STATUS_OUTPUT_FULL, "an answer, not from a mouse");
        assert_eq!(get(&mut c, 0), 0x5a);
        put(&mut c, 4, 0xa9);
        assert!(![0x00, 0xfa, 0xff].contains(&get(&mut c, 0)), "no mouse port");
    }

    #[test]
    fn a20_gate_by_command_and_by_output_port() {
        let mut c = I8042::new();
        assert!(c.a20());
        put(&mut c, 4, 0xdd);
        assert!(!c.a20());
        put(&mut c, 4, 0xd1);
        put(&mut c, 0, 0xdf);
        assert!(c.a20());
        put(&mut c, 4, 0xd0);
        assert_eq!(get(&mut c, 0), 0xdf);
    }

    #[test]
    fn timer_wait_on_port_b_ends() {
        assert_eq!(get(&mut I8042::new(), 1) & 0x20, 0x20);
    }

    proptest! {
        #[test]
        fn save_and_restore_at_any_step_change_no_answer(
            steps in prop::collection::vec((0u64..8, prop::option::of(any::<[u8; 2]>())), 0..60),
            cut in 0usize..60,
        ) {
            let mut original = I8042::new();
            let mut copy = None::<I8042>;
            for (i, (offset, write)) in steps.into_iter().enumerate() {
                if i == cut {
                    let mut new = I8042::new();
                    new.restore(&original.save()).unwrap();
                    copy = Some(new);
                }
                let answer = |c: &mut I8042| match write {
                    Some(data) => (c.write(offset, &data), 0),
                    None => (Outcome::Continue, get(c, offset)),
                };
                let want = answer(&mut original);
                if let Some(copy) = &mut copy {
                    prop_assert_eq!(answer(copy), want);
                }
            }
        }
    }
}
