//! The two consoles, with a guest at the registers and a host at the line.

use devices::fixed::pl011::Pl011;
use devices::fixed::serial::Serial;
use devices::fixed::uart::Uart;
use devices::{Device, Interrupt, Outcome};

use crate::input::Input;
use crate::stand_ins::{Counter, Screen};

/// What a UART is built with: its output and its interrupt line.
type Build<D> = fn(Box<Screen>, Box<dyn Interrupt>) -> D;

/// The deepest input buffer of the two, in bytes: the serial port's.
const DEEPEST: usize = 64;

/// The PC's serial port.
pub fn serial(bytes: &[u8]) {
    drive(bytes, |out, irq| Serial::new(out, irq));
}

/// The Arm machine's UART.
pub fn pl011(bytes: &[u8]) {
    drive(bytes, |out, irq| Pl011::new(out, irq));
}

/// A UART and its surroundings.
struct Bench<D> {
    uart: D,
    screen: Screen,
    irq: Counter,
    drained: Counter,
}

impl<D: Uart + Device> Bench<D> {
    fn new(build: Build<D>) -> Self {
        let (screen, irq, drained) = <(Screen, Counter, Counter)>::default();
        let mut uart = build(Box::new(screen.clone()), Box::new(irq.clone()));
        uart.on_input_drained(Box::new(drained.clone()));
        Self { uart, screen, irq, drained }
    }

    /// Takes a step; gives all that guest and host can see of it.
    fn take(&mut self, step: &Step) -> Seen {
        let mut answer = Vec::new();
        match step {
            Step::Read(offset, len) => {
                answer = vec![0xaa; *len];
                self.uart.read(*offset, &mut answer);
            }
            Step::Write(offset, data) => {
                assert_eq!(self.uart.write(*offset, data), Outcome::Continue);
            }
            Step::Enqueue(data) => {
                let room = self.uart.input_room();
                let taken = self.uart.enqueue(data);
                assert_eq!(taken, room.min(data.len()), "what fits is taken");
                answer.push(taken as u8);
            }
            Step::Reset => self.uart.reset(),
        }
        assert!(self.uart.input_room() <= DEEPEST);
        let sent = self.screen.take();
        let (edges, wakes) = (self.irq.take(), self.drained.take());
        assert!(edges <= 8 && wakes <= 8 && sent.len() <= 8, "one of each for each byte");
        Seen { answer, room: self.uart.input_room(), sent, edges, wakes }
    }
}

#[derive(Debug)]
enum Step {
    Read(u64, usize),
    Write(u64, Vec<u8>),
    Enqueue(Vec<u8>),
    Reset,
}

#[derive(Debug, PartialEq)]
struct Seen {
    answer: Vec<u8>,
    room: usize,
    sent: Vec<u8>,
    edges: usize,
    wakes: usize,
}

fn drive<D: Uart + Device>(bytes: &[u8], build: Build<D>) {
    let mut input = Input::new(bytes);
    let mut bench = Bench::new(build);
    // One that took over the state at some moment, and has to behave alike from then on.
    let mut twin: Option<Bench<D>> = None;
    while let Some(step) = next(&mut input) {
        let Some(step) = step else {
            let mut restored = Bench::new(build);
            let state = bench.uart.save();
            restored.uart.restore(&state).expect("a device can be in the state that it saved");
            assert_eq!(restored.uart.save(), state);
            twin = Some(restored);
            continue;
        };
        let seen = bench.take(&step);
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
