//! What the machine is started for: its command line chooses.

use super::machine::{self, power, serial};
use super::report::{Report, send_line};

/// What there is to do, by the words of the command line.
#[derive(Clone, Copy)]
pub enum Task {
    /// No word: all checks, and their report.
    Check,
    /// `flood=LINES`: so many lines on the serial port, each of [`LINE`] bytes.
    Flood(u32),
    /// `storm=ROUNDS`: the processors wake each other, until the first of them was woken so often.
    Storm(Storm),
    /// `halt`: waits for nothing, with interrupts off.
    Halt,
    /// `spin`: works on nothing, with interrupts off.
    Spin,
}

/// How long a storm lasts.
#[derive(Clone, Copy)]
pub struct Storm {
    /// How often one processor is woken.
    pub rounds: u32,
    /// `processors=COUNT`: those that take part, this one among them.
    pub processors: u32,
    /// `input=BYTES`: so many have to come in by the serial port, too.
    pub input: u32,
    /// `loud`: each processor that is woken sends a dot by the serial port.
    pub is_loud: bool,
}

/// Bytes of a flood's line: its number in eight hexadecimal digits, what fills it up, and its end.
pub const LINE: usize = 64;

impl Task {
    /// The words that are not known here are another's.
    pub fn chosen_by(command_line: &[u8]) -> Task {
        let words = || command_line.split(|byte| *byte == b' ' || *byte == 0);
        let number = |name: &[u8]| words().find_map(|word| decimal(word.strip_prefix(name)?));
        if let Some(lines) = number(b"flood=") {
            return Task::Flood(lines);
        }
        if let Some(rounds) = number(b"storm=") {
            let processors = number(b"processors=").unwrap_or(1);
            return Task::Storm(Storm {
                rounds,
                processors,
                input: number(b"input=").unwrap_or(0),
                is_loud: words().any(|word| word == b"loud"),
            });
        }
        match words().find(|word| [&b"halt"[..], b"spin"].contains(word)) {
            Some(b"halt") => Task::Halt,
            Some(_) => Task::Spin,
            None => Task::Check,
        }
    }

    /// Does it, and switches off if it comes to an end.
    pub fn run(self, start_info: u64) -> ! {
        match self {
            Task::Check => {
                let mut report = Report::default();
                machine::check_all(&mut report, start_info);
                report.end();
            }
            Task::Flood(lines) => (0..lines).for_each(flood),
            Task::Storm(storm) => super::storm::storm(storm, start_info),
            Task::Halt => {
                send_line(&[b"bare-guest: halts"]);
                machine::cpu::halt_forever();
            }
            Task::Spin => {
                send_line(&[b"bare-guest: spins"]);
                loop {
                    core::hint::spin_loop();
                }
            }
        }
        power::off()
    }
}

/// A number of decimal digits and nothing else.
fn decimal(word: &[u8]) -> Option<u32> {
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| u32::from(byte - b'0'));
    let value =
        word.iter().try_fold(0u32, |value, byte| value.checked_mul(10)?.checked_add(digit(byte)?));
    value.filter(|_| !word.is_empty())
}

/// One line of a flood.
fn flood(number: u32) {
    let mut line = [b'~'; LINE];
    for (place, byte) in line.iter_mut().take(8).enumerate() {
        let digit = (number >> (28 - 4 * place) & 0xf) as u8;
        *byte = if digit < 10 { b'0' + digit } else { b'a' + digit - 10 };
    }
    line[LINE - 1] = b'\n';
    serial::send(&line);
}
