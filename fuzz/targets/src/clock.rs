//! The two clocks, with a guest at the registers and a host whose time jumps.

use std::time::Duration;

use devices::fixed::clock::{Clock, RealTimeClock};
use devices::fixed::pl031::Pl031;
use devices::fixed::rtc::Rtc;
use devices::{Device, Interrupt, Outcome};

use crate::input::Input;
use crate::stand_ins::{Counter, Hand};

/// What a clock is built with: the time of day and its interrupt line.
type Build<D> = fn(Box<dyn Clock>, Box<dyn Interrupt>) -> D;

/// 2026-01-01T00:00:00Z, in nanoseconds.
const START: u64 = 1_767_225_600_000_000_000;

/// The PC's clock.
pub fn rtc(bytes: &[u8]) {
    drive(bytes, Rtc::new);
}

/// The Arm machine's clock.
pub fn pl031(bytes: &[u8]) {
    drive(bytes, Pl031::new);
}

/// A clock and its surroundings.
struct Bench<D> {
    device: D,
    irq: Counter,
}

enum Step {
    Read(u64, usize),
    Write(u64, Vec<u8>),
    Tick,
    Reset,
}

impl<D: RealTimeClock + Device> Bench<D> {
    fn new(build: Build<D>, hand: &Hand) -> Self {
        let irq = Counter::default();
        let device = build(Box::new(hand.clone()), Box::new(irq.clone()));
        Self { device, irq }
    }

    /// Takes a step; gives all that guest and host can see of it.
    fn take(&mut self, step: &Step) -> (Vec<u8>, usize, Option<Duration>) {
        let mut answer = Vec::new();
        match step {
            Step::Read(offset, len) => {
                answer = vec![0xaa; *len];
                self.device.read(*offset, &mut answer);
            }
            Step::Write(offset, data) => {
                assert_eq!(self.device.write(*offset, data), Outcome::Continue);
            }
            Step::Tick => self.device.tick(),
            Step::Reset => self.device.reset(),
        }
        let edges = self.irq.take();
        assert!(edges <= 16, "two for each byte");
        (answer, edges, self.device.next_event())
    }
}

fn drive<D: RealTimeClock + Device>(bytes: &[u8], build: Build<D>) {
    let mut input = Input::new(bytes);
    let hand = Hand::at(START);
    let mut bench = Bench::new(build, &hand);
    // One that took over the state at some moment, and has to behave alike from then on.
    let mut twin: Option<Bench<D>> = None;
    while let Some(step) = next(&mut input, &hand) {
        let Some(step) = step else {
            let mut restored = Bench::new(build, &hand);
            let state = bench.device.save();
            restored.device.restore(&state).expect("a device can be in the state that it saved");
            assert_eq!(restored.device.save(), state);
            twin = Some(restored);
            continue;
        };
        let seen = bench.take(&step);
        if let Some(twin) = &mut twin {
            assert_eq!(twin.take(&step), seen);
        }
    }
    await_event(&mut bench, &hand);
}

/// The time that a device asks to be called at is neither early nor late.
fn await_event<D: RealTimeClock + Device>(bench: &mut Bench<D>, hand: &Hand) {
    bench.device.tick();
    let Some(wait) = bench.device.next_event() else { return };
    let Some(then) = u64::try_from(wait.as_nanos()).ok().and_then(|n| hand.nanos().checked_add(n))
    else {
        return;
    };
    bench.irq.take();
    if then > hand.nanos() {
        hand.set(then - 1);
        bench.device.tick();
        assert_eq!(bench.irq.take(), 0, "a nanosecond before it");
        hand.set(then);
    }
    bench.device.tick();
    assert_eq!(bench.irq.take(), 1, "at it");
}

/// The next step; `Some(None)`: save and restore.
fn next(input: &mut Input, hand: &Hand) -> Option<Option<Step>> {
    let kind = input.u8()?;
    let len = 1 << (kind >> 6);
    Some(Some(match kind & 15 {
        0..=3 => Step::Read(input.number()?, len),
        4..=8 => Step::Write(input.number()?, input.bytes(len)?.to_vec()),
        9 => Step::Tick,
        10 => {
            hand.set(input.u64()?);
            Step::Tick
        }
        11 => {
            let millis = u64::from(input.u32()?);
            hand.set(hand.nanos().saturating_add(millis * 1_000_000));
            Step::Tick
        }
        12 => return Some(None),
        13 => Step::Reset,
        // The index port and then the data port, as a PC's guest does it.
        _ => Step::Write(0, input.bytes(2)?.to_vec()),
    }))
}
