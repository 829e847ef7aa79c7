//! One start: what its guest does, what the host does meanwhile, and how it has to end. All of it follows from a seed.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use rustix::process::Signal;

use crate::soak::random::Random;

/// As many processors as a VM may have.
const MAX_VCPUS: u32 = 32;

/// A guest that does not come to an end by itself in the time of a round does so in centuries.
const ENDLESS: u32 = u32::MAX;

/// Bytes of a line of the guest's flood (tests/bare-guest, task.rs).
const FLOOD_LINE: usize = 64;

/// The kinds of rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The guest drives every device, reports, and switches off.
    Boot,
    /// It writes more on the serial port than the host's pipe holds.
    Flood,
    /// The VMM is asked to end, or killed, at any time.
    Kill,
    /// The guest's processors interrupt each other, and the host types and calls meanwhile.
    Storm,
}

impl Kind {
    /// In the order of the table.
    pub const ALL: [Kind; 4] = [Kind::Boot, Kind::Flood, Kind::Kill, Kind::Storm];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Boot => "boot",
            Kind::Flood => "flood",
            Kind::Kill => "kill",
            Kind::Storm => "storm",
        }
    }
}

/// What the guest is started for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guest {
    /// All its checks.
    Check,
    /// So many lines.
    Flood(u32),
    /// Processors that wake each other, until one was woken so often and so many bytes were typed. In a loud one each sends a
    /// dot whenever it was woken, beside the others.
    Storm { rounds: u32, input: u32, is_loud: bool },
    /// It waits for nothing.
    Halt,
    /// It works on nothing.
    Spin,
}

/// How its output is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// As soon as it is there.
    AtOnce,
    /// So many bytes, and again after a pause.
    Slowly(usize, Duration),
    /// The pipe is closed after so many bytes.
    Closed(usize),
    /// Not at all.
    Never,
}

/// When the VMM is asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// So long after its start.
    Start(Duration),
    /// So long after the first byte of output.
    Output(Duration),
}

/// A start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Round {
    /// What all else follows from.
    pub seed: u64,
    /// Its row in the table.
    pub kind: Kind,
    /// The machine's processors.
    pub vcpus: u32,
    /// What they do.
    pub guest: Guest,
    /// What becomes of their output.
    pub reading: Reading,
    /// Bytes that are typed once there is output.
    pub typed: u32,
    /// Programs that call the guest's socket device then.
    pub calls: u32,
    /// The signal to the VMM, and its time.
    pub ask: Option<(Signal, Moment)>,
}

impl Round {
    /// The round of a seed.
    pub fn of(seed: u64) -> Round {
        let mut random = Random::new(seed);
        let kind = match random.between(0, 99) {
            85.. => Kind::Storm,
            60.. => Kind::Kill,
            40.. => Kind::Flood,
            _ => Kind::Boot,
        };
        let most = if random.one_in(2) { 4 } else { MAX_VCPUS };
        let vcpus = random.between(1, most);
        let mut round = Round {
            seed,
            kind,
            vcpus,
            guest: Guest::Check,
            reading: Reading::AtOnce,
            typed: 0,
            calls: 0,
            ask: None,
        };
        match kind {
            Kind::Boot => {}
            Kind::Flood => {
                let lines = random.between(1, 400);
                round.guest = Guest::Flood(lines);
                round.reading = reading(&mut random, lines as usize * FLOOD_LINE);
                round.typed = typed(&mut random);
            }
            Kind::Storm => {
                let rounds = random.between(1, 100);
                // As much as the guest waits for.
                round.typed = typed(&mut random);
                let is_loud = random.one_in(2);
                round.guest = Guest::Storm { rounds, input: round.typed, is_loud };
                round.calls = calls(&mut random);
            }
            Kind::Kill => round.kill(&mut random),
        }
        round
    }

    fn kill(&mut self, random: &mut Random) {
        let storm = Guest::Storm { rounds: ENDLESS, input: 0, is_loud: random.one_in(2) };
        let guests = [Guest::Check, Guest::Flood(ENDLESS), Guest::Halt, Guest::Spin, storm];
        self.guest = random.choose(&guests);
        self.reading = random.choose(&[Reading::AtOnce, Reading::Never]);
        if self.guest != Guest::Check {
            self.typed = typed(random);
            self.calls = calls(random);
        }
        let signal = random.choose(&[Signal::TERM, Signal::TERM, Signal::INT, Signal::KILL]);
        let moment = match random.one_in(2) {
            true => Moment::Start(micros(random, 60_000)),
            false => Moment::Output(micros(random, 5_000)),
        };
        self.ask = Some((signal, moment));
    }

    /// The guest's command line.
    pub fn words(&self) -> String {
        match self.guest {
            Guest::Check => String::new(),
            Guest::Flood(lines) => format!("flood={lines}"),
            Guest::Storm { rounds, input, is_loud } => {
                let loud = if is_loud { " loud" } else { "" };
                format!("storm={rounds} input={input} processors={}{loud}", self.vcpus)
            }
            Guest::Halt => "halt".into(),
            Guest::Spin => "spin".into(),
        }
    }

    /// All that the guest says before its [`dots`](Self::dots); `None` for the report of its checks.
    pub fn output(&self) -> Option<Box<dyn Iterator<Item = u8>>> {
        let line = |text: &'static str| Box::new(text.bytes()) as Box<dyn Iterator<Item = u8>>;
        match self.guest {
            Guest::Check => None,
            Guest::Flood(lines) => Some(Box::new((0..lines).flat_map(|number| {
                let line = format!("{number:08x}{:~<1$}\n", "", FLOOD_LINE - 9);
                line.into_bytes()
            }))),
            Guest::Storm { .. } => Some(line("bare-guest: storms\n")),
            Guest::Halt => Some(line("bare-guest: halts\n")),
            Guest::Spin => Some(line("bare-guest: spins\n")),
        }
    }

    /// How many dots it sends then: that depends on who is woken when.
    pub fn dots(&self) -> RangeInclusive<usize> {
        match self.guest {
            // The first of them may have to wait for what is typed.
            Guest::Storm { rounds, input: 1.., is_loud: true } => rounds as usize..=usize::MAX,
            Guest::Storm { rounds, input: 0, is_loud: true } => {
                rounds as usize..=rounds as usize * self.vcpus as usize
            }
            _ => 0..=0,
        }
    }
}

fn micros(random: &mut Random, most: u32) -> Duration {
    Duration::from_micros(random.between(0, most).into())
}

/// More than the serial port's buffer holds, or less, or nothing.
fn typed(random: &mut Random) -> u32 {
    if random.one_in(2) { 0 } else { random.between(1, 300) }
}

fn calls(random: &mut Random) -> u32 {
    if random.one_in(2) { 0 } else { random.between(1, 16) }
}

fn reading(random: &mut Random, bytes: usize) -> Reading {
    match random.between(0, 2) {
        0 => Reading::AtOnce,
        1 => Reading::Slowly(random.between(64, 4096) as usize, micros(random, 2_000)),
        _ => Reading::Closed(random.between(0, bytes as u32) as usize),
    }
}

impl fmt::Display for Round {
    /// What a person wants to know of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Round { vcpus, guest, reading, typed, calls, .. } = self;
        write!(f, "{} of {vcpus} vCPUs: {guest:?}, read {reading:?}", self.kind.name())?;
        write!(f, ", {typed} bytes typed, {calls} calls")?;
        match self.ask {
            Some((signal, moment)) => write!(f, ", signal {} at {moment:?}", signal.as_raw()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_round_and_seeds_bring_every_kind() {
        let rounds: Vec<_> = (0..1000).map(Round::of).collect();
        assert!(rounds.iter().all(|round| *round == Round::of(round.seed)));
        for kind in Kind::ALL {
            let of_kind: Vec<_> = rounds.iter().filter(|round| round.kind == kind).collect();
            assert!(of_kind.len() > 100, "{kind:?}");
            assert!(of_kind.iter().all(|round| (1..=MAX_VCPUS).contains(&round.vcpus)));
            let killed = of_kind.iter().all(|round| round.ask.is_some());
            assert_eq!(killed, kind == Kind::Kill);
        }
        let is_loud = |round: &&Round| *round.dots().end() > 0;
        let loud = rounds.iter().filter(is_loud).count();
        assert!(loud > 50, "{loud}");
    }

    #[test]
    fn a_flood_has_lines_of_one_length() {
        let flood = Round { guest: Guest::Flood(17), ..Round::of(0) };
        let bytes: Vec<u8> = flood.output().unwrap().collect();
        assert_eq!(bytes.len(), 17 * FLOOD_LINE);
        let last = &bytes[16 * FLOOD_LINE..];
        assert!(last.starts_with(b"00000010~~") && last.ends_with(b"~~\n"));
        assert_eq!(flood.words(), "flood=17");
    }
}
