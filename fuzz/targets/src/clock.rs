//! The two clocks, with a guest at the registers and a host whose time jumps.

use devices::fixed::clock::RealTimeClock;
use devices::fixed::pl031::Pl031;
use devices::fixed::rtc::Rtc;
use devices::testing::Hand;
use devices::testing::clock::{Bench, Build, Seen};
use devices::{Device, Outcome};

use crate::input::Input;

/// 2026-01-01T00:00:00Z, in seconds.
const START: u64 = 1_767_225_600;

/// The PC's clock.
pub fn rtc(bytes: &[u8]) {
    drive(bytes, Rtc::new);
}

/// The Arm machine's clock.
pub fn pl031(bytes: &[u8]) {
    drive(bytes, Pl031::new);
}

enum Step {
    Read(u64, usize),
    Write(u64, Vec<u8>),
    Tick,
    Reset,
}

/// Takes a step; gives all that guest and host can see of it.
fn take<D: RealTimeClock + Device>(bench: &mut Bench<D>, step: &Step) -> Seen<Vec<u8>> {
    let seen = bench.seen(|bench| {
        let mut answer = Vec::new();
        match step {
            Step::Read(offset, len) => {
                answer = vec![0xaa; *len];
                bench.rtc.read(*offset, &mut answer);
            }
            Step::Write(offset, data) => {
                assert_eq!(bench.rtc.write(*offset, data), Outcome::Continue);
            }
            Step::Tick => bench.rtc.tick(),
            Step::Reset => bench.rtc.reset(),
        }
        answer
    });
    assert!(seen.edges <= 16, "two for each byte");
    seen
}

fn drive<D: RealTimeClock + Device>(bytes: &[u8], build: Build<D>) {
    let mut input = Input::new(bytes);
    let hand = Hand::at(START);
    let mut bench = Bench::of(build, hand.clone());
    // One that took over the state at some moment, and has to behave alike from then on.
    let mut twin: Option<Bench<D>> = None;
    while let Some(step) = next(&mut input, &hand) {
        let Some(step) = step else {
            let mut restored = Bench::of(build, hand.clone());
            let state = bench.rtc.save();
            restored.rtc.restore(&state).expect("a device can be in the state that it saved");
            assert_eq!(restored.rtc.save(), state);
            twin = Some(restored);
            continue;
        };
        let seen = take(&mut bench, &step);
        if let Some(twin) = &mut twin {
            assert_eq!(take(twin, &step), seen);
        }
    }
    bench.await_next_event();
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
