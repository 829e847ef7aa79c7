//! One thing that waits for an emulated host.

use std::sync::Arc;
use std::time::Duration;

use super::machine::Machine;
use super::part::Part;
use super::place::Place;
use super::queue::{Feeder, Queue, Waits};
use super::ran::{Left, Ran};
use super::suite::Suite;
use super::times::Times;
use super::total::Total;
use crate::arch::Arch;
use crate::error::Error;

/// Tests that take longer are split, as far as they are several.
const PART: Duration = Duration::from_secs(75);

/// What takes up to so long runs in a host that something ran in before, when there is one as new: to start one takes seconds.
const SHARES: Duration = Duration::from_secs(30);

/// The bare guest takes a moment.
const BARE_GUEST: Duration = Duration::from_secs(5);

/// What is to be done, where, and how long it will take.
pub struct Job {
    place: Arc<Place>,
    work: Work,
    /// What it is called.
    name: String,
    /// What its time is remembered by.
    key: String,
    expected: Duration,
}

enum Work {
    /// A suite that starts its emulated hosts by itself.
    WithOwnHosts(Arc<Suite>),
    /// In an emulated host of this program's.
    InHost(Tests),
}

enum Tests {
    BareGuest,
    Lives,
    Suite { suite: Arc<Suite>, left: Left, part: Part },
}

impl Waits for Job {
    fn expected(&self) -> Duration {
        self.expected
    }

    fn shares(&self) -> Option<Arch> {
        let shares = matches!(self.work, Work::InHost(_)) && self.expected <= SHARES;
        shares.then_some(self.place.arch)
    }
}

impl Job {
    /// How long what is left of a suite will probably take.
    pub fn expected_of(place: &Place, suite: &Suite, times: &Times) -> Duration {
        times.expected(&key(place, &suite.name))
    }

    /// Adds the bare guest's checks to what waits.
    pub fn add_bare_guest(place: &Arc<Place>, feeder: &Feeder<'_, Job>) {
        let key = key(place, "bare guest");
        let name = format!("bare guest ({}, emulated host)", place.arch.name());
        feeder.add(Job {
            place: place.clone(),
            work: Work::InHost(Tests::BareGuest),
            name,
            key,
            expected: BARE_GUEST,
        });
    }

    /// Adds lives of containers to what waits.
    pub fn add_lives(place: &Arc<Place>, times: &Times, feeder: &Feeder<'_, Job>) {
        let key = key(place, "lives");
        feeder.add(Job {
            place: place.clone(),
            work: Work::InHost(Tests::Lives),
            name: format!("lives ({}, emulated host)", place.arch.name()),
            expected: times.expected(&key),
            key,
        });
    }

    /// Adds what is left of a suite to what waits.
    pub fn add(
        place: &Arc<Place>,
        suite: Suite,
        left: Left,
        times: &Times,
        feeder: &Feeder<'_, Job>,
    ) {
        let arch = place.arch.name();
        let suite = Arc::new(suite);
        let key = key(place, &suite.name);
        let whole = times.expected(&key);
        if left == Left::StartsHosts {
            feeder.add(Job {
                place: place.clone(),
                name: format!("{} ({arch}, its own emulated hosts)", suite.name),
                work: Work::WithOwnHosts(suite),
                key,
                expected: whole,
            });
            return;
        }
        let parts = times.parts(&key, PART);
        for part in Part::all(parts) {
            feeder.add(Job {
                place: place.clone(),
                name: format!("{} ({arch}, emulated host{})", suite.name, part.suffix()),
                work: Work::InHost(Tests::Suite { suite: suite.clone(), left, part }),
                key: key.clone(),
                expected: whole / u32::try_from(parts).unwrap_or(1),
            });
        }
    }

    /// Does it, in the machine at hand if it may, and leaves one at hand.
    fn run(&self, at_hand: &mut Option<Machine>, total: &Total) -> Result<Ran, Error> {
        let mut attempt = || match &self.work {
            Work::WithOwnHosts(suite) => self.place.run_with_own_hosts(suite),
            Work::InHost(tests) => self.run_in_host(tests, at_hand),
        };
        let result = attempt();
        // The only thing that is ever repeated, and once: it says nothing about what was to be tested.
        match self.stood_still(&result) {
            Some(why) => {
                total.stood_still(&self.name, &why);
                attempt()
            }
            None => result,
        }
    }

    /// How an emulated host stood still, if it did.
    fn stood_still(&self, result: &Result<Ran, Error>) -> Option<String> {
        match (&self.work, result) {
            (_, Err(Error::StoodStill(why))) => Some(why.to_string()),
            // Its hosts are started by xtask as well, which says so in a line. Another failure beside it is none of that.
            (Work::WithOwnHosts(_), Ok(ran)) if ran.tally.failed == 1 => {
                let line = ran.told.lines().find(|line| line.contains(Error::STOOD_STILL))?;
                Some(line.trim().to_owned())
            }
            _ => None,
        }
    }

    fn run_in_host(&self, tests: &Tests, at_hand: &mut Option<Machine>) -> Result<Ran, Error> {
        // One in which something failed is left to nobody.
        let usable = at_hand.take().filter(|machine| self.shares() == Some(machine.arch()));
        let mut machine = match usable {
            Some(machine) => machine,
            None => Machine::start(self.place.arch, self.place.cpu)?,
        };
        let ran = match tests {
            Tests::BareGuest => self.place.bare_guest_in(&mut machine)?,
            Tests::Lives => self.place.lives_in(&mut machine)?,
            Tests::Suite { suite, left, part } => {
                self.place.run_in(&mut machine, suite, *left, *part)?
            }
        };
        *at_hand = Some(machine).filter(|_| ran.tally.failed == 0);
        Ok(ran)
    }
}

/// What the times of tests are remembered by.
fn key(place: &Place, name: &str) -> String {
    format!("{name} ({})", place.arch.name())
}

/// Does one job after the other, until there will be no more.
pub fn work(queue: &Queue<Job>, times: &Times, total: &Total) {
    let mut at_hand: Option<Machine> = None;
    while let Some(job) = queue.next(at_hand.as_ref().map(Machine::arch)) {
        let step = total.run(&job.name, || job.run(&mut at_hand, total));
        times.add(&job.key, step.tests, step.took);
        if at_hand.as_mut().is_some_and(|machine| !machine.is_as_new()) {
            at_hand = None;
        }
    }
}
