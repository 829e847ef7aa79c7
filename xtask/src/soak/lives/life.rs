//! One container's life: how it is started, what it does, and what ends it when. All of it follows from a seed.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::soak::random::Random;

/// What the VM boots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Guest {
    /// Linux, and the container runs.
    Linux,
    /// Our own kernel, which checks the machine and switches it off: the container never runs, and all that is on the
    /// host's side of it is as with Linux.
    Bare,
}

/// How it is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// `run`: the command is its supervisor.
    Foreground,
    /// `run -d`.
    Detached,
    /// `create`, then `start`.
    Started,
    /// `create`, and no more.
    Created,
}

/// What the container does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Script {
    /// Ends with [`STATUS`].
    Ends,
    /// Waits for its end.
    Sleeps,
    /// Writes to its disk until its end.
    Writes,
}

/// The status with which a script ends by itself.
pub const STATUS: i32 = 3;

/// Who is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Victim {
    /// The command that was started first.
    Command,
    /// The process that has the container: of one in the foreground that is the command.
    Supervisor,
    /// The VMM's outer process.
    Jailer,
    /// The VM.
    Vm,
    /// Any process that there is, the helpers too.
    Any,
}

/// What a person asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// `kill`.
    Kill,
    /// `stop`.
    Stop,
    /// `rm -f`.
    Remove,
    /// `pause`.
    Pause,
    /// `exec` of a process that does not end.
    Exec,
}

/// When that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// So long after the start of the command; of who is not there yet, as soon as it is.
    Start(Duration),
    /// So long after the container is up.
    Up(Duration),
}

/// What comes upon it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Nothing: it ends by itself.
    None,
    /// One is killed, and perhaps another.
    Kill(Victim, Option<Victim>, Moment),
    /// It is asked for something, and perhaps who asks is killed so long after.
    Ask(Ask, Moment, Option<Duration>),
}

/// A life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Life {
    /// What all else follows from.
    pub seed: u64,
    /// What its VM boots.
    pub guest: Guest,
    /// As an ordinary user, where there is one.
    pub as_user: bool,
    pub way: Way,
    /// `--rm`.
    pub auto_remove: bool,
    /// `--restart always`.
    pub restarts: bool,
    pub script: Script,
    pub fate: Fate,
}

/// Most lives are together with another, or two.
const MOST_TOGETHER: u32 = 3;

/// How many lives are led beside each other, the first of them that of `seed`.
pub fn together(seed: u64) -> u32 {
    // Other numbers than the life's own.
    Random::new(!seed).between(1, MOST_TOGETHER)
}

impl Life {
    /// The life of a seed.
    pub fn of(seed: u64, guest: Guest) -> Life {
        let mut random = Random::new(seed);
        let ways = [Way::Foreground, Way::Foreground, Way::Detached, Way::Detached, Way::Started];
        let way = if random.one_in(12) { Way::Created } else { random.choose(&ways) };
        let as_user = random.one_in(2);
        let auto_remove = random.one_in(2);
        let mut life = Life {
            seed,
            guest,
            as_user,
            way,
            auto_remove,
            restarts: !auto_remove && way == Way::Detached && random.one_in(4),
            script: random.choose(&[Script::Sleeps, Script::Writes]),
            fate: Fate::None,
        };
        match random.between(0, 9) {
            0 => {
                life.script = Script::Ends;
                life.restarts = false;
            }
            1..=2 if way != Way::Created => life.fate = ask(&mut random, guest),
            _ => life.fate = kill(&mut random, way, guest),
        }
        life
    }

    /// The container's name.
    pub fn name(&self) -> String {
        format!("life-{}", self.seed)
    }
}

fn ask(random: &mut Random, guest: Guest) -> Fate {
    let ask = random.choose(&[Ask::Kill, Ask::Stop, Ask::Remove, Ask::Pause, Ask::Exec]);
    let moment = moment(random, guest);
    let killed = random.one_in(3).then(|| micros(random, 200_000));
    Fate::Ask(ask, moment, killed)
}

fn kill(random: &mut Random, way: Way, guest: Guest) -> Fate {
    let moment = moment(random, guest);
    if way == Way::Created {
        return Fate::Kill(Victim::Command, None, Moment::Start(micros(random, 100_000)));
    }
    let all = [Victim::Command, Victim::Supervisor, Victim::Jailer, Victim::Vm, Victim::Vm];
    let first = if random.one_in(8) { Victim::Any } else { random.choose(&all) };
    let second = random.one_in(4).then(|| random.choose(&all)).filter(|second| *second != first);
    Fate::Kill(first, second, moment)
}

/// Most are early: from the first millisecond on.
fn moment(random: &mut Random, guest: Guest) -> Moment {
    if guest == Guest::Linux && random.one_in(4) {
        return Moment::Up(micros(random, 300_000));
    }
    // In microseconds. An emulated host takes up to three seconds for the start of Linux.
    let most: &[u32] = match guest {
        Guest::Linux => &[5_000, 50_000, 500_000, 1_500_000, 3_000_000],
        Guest::Bare => &[2_000, 10_000, 50_000, 100_000],
    };
    let most = random.choose(most);
    Moment::Start(micros(random, most))
}

fn micros(random: &mut Random, most: u32) -> Duration {
    Duration::from_micros(random.between(0, most).into())
}

impl fmt::Display for Life {
    /// What a person wants to know of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Life { seed, guest, way, script, fate, .. } = self;
        write!(f, "life {seed}: {guest:?}, {way:?}, {script:?}")?;
        for (is_so, what) in [
            (self.as_user, "as a user"),
            (self.auto_remove, "--rm"),
            (self.restarts, "--restart always"),
        ] {
            if is_so {
                write!(f, ", {what}")?;
            }
        }
        write!(f, ", {fate:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::soak::lives::kind::Kind;

    #[test]
    fn a_seed_is_a_life_and_seeds_bring_every_kind() {
        for guest in [Guest::Linux, Guest::Bare] {
            let lives: Vec<_> = (0..2000).map(|seed| Life::of(seed, guest)).collect();
            assert!(lives.iter().all(|life| *life == Life::of(life.seed, guest)));
            for kind in Kind::ALL {
                let count = lives.iter().filter(|life| Kind::of(life) == kind).count();
                assert!(count > 30, "{kind:?}: {count}");
            }
            let is_up = |life: &&Life| {
                matches!(
                    life.fate,
                    Fate::Kill(_, _, Moment::Up(_)) | Fate::Ask(_, Moment::Up(_), _)
                )
            };
            assert_eq!(lives.iter().any(|life| is_up(&life)), guest == Guest::Linux);
            // What nothing ends would never end.
            let ends = |life: &Life| life.script == Script::Ends && !life.restarts;
            assert!(lives.iter().all(|life| life.fate != Fate::None || ends(life)));
            assert!(lives.iter().all(|life| !(life.restarts && life.auto_remove)));
        }
    }

    #[test]
    fn some_lives_are_alone_and_some_are_three() {
        let counts: Vec<_> = (0..100).map(together).collect();
        assert!((1..=MOST_TOGETHER).all(|count| counts.contains(&count)));
        assert!(counts.iter().all(|count| (1..=MOST_TOGETHER).contains(count)));
    }
}
