//! The two consoles, with a guest at the registers and a host at the line.

use devices::Device;
use devices::fixed::pl011::Pl011;
use devices::fixed::serial::Serial;
use devices::fixed::uart::Uart;
use devices::testing::uart::{Bench, Build, Step};

use crate::input::Input;

/// The deepest input buffer of the two, in bytes: the serial port's.
const DEEPEST: usize = 64;

/// The PC's serial port.
pub fn serial(bytes: &[u8]) {
    drive(bytes, Serial::new);
}

/// The Arm machine's UART.
pub fn pl011(bytes: &[u8]) {
    drive(bytes, Pl011::new);
}

fn drive<D: Uart + Device>(bytes: &[u8], build: Build<D>) {
    let mut input = Input::new(bytes);
    let mut bench = Bench::of(build);
    // One that took over the state at some moment, and has to behave alike from then on.
    let mut twin: Option<Bench<D>> = None;
    while let Some(step) = next(&mut input) {
        let Some(step) = step else {
            let mut restored = Bench::of(build);
            let state = bench.uart.save();
            restored.uart.restore(&state).expect("a device can be in the state that it saved");
            assert_eq!(restored.uart.save(), state);
            twin = Some(restored);
            continue;
        };
        let seen = bench.take(&step);
        assert!(seen.room <= DEEPEST);
        if let Some(twin) = &mut twin {
            assert_eq!(twin.take(&step), seen, "{step:?}");
        }
    }
}

/// The next step; `Some(None)`: save and restore.
fn next(input: &mut Input) -> Option<Option<Step>> {
    let kind = input.u8()?;
    let len = 1 << (kind >> 6);
    Some(Some(match kind & 7 {
        0 | 1 => Step::Read(input.number()?, len),
        2..=4 => Step::Write(input.number()?, input.bytes(len)?.to_vec()),
        5 => {
            let len = usize::from(input.u8()?);
            Step::Enqueue(input.bytes(len)?.to_vec())
        }
        6 => return Some(None),
        _ => Step::Reset,
    }))
}
