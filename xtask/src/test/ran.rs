//! What came of running tests.

use super::capture::Ended;
use super::libtest::{self, Outcome};
use super::tally::Tally;

/// What came of one step.
#[derive(Debug, Default)]
pub struct Ran {
    /// Its results.
    pub tally: Tally,
    /// Its output when something failed.
    pub told: String,
    /// What has to run in an emulated host.
    pub left: Option<Left>,
}

impl From<Tally> for Ran {
    fn from(tally: Tally) -> Ran {
        Ran { tally, ..Ran::default() }
    }
}

/// Tests that run side by side with others, because they need another machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// Those that are ignored without one.
    Ignored,
    /// All of the executable: some ran and could not do their work.
    All,
    /// Those that were ignored, here: they start emulated hosts by themselves.
    StartsHosts,
}

/// Counts, and keeps the output of a failure.
pub fn understand(ended: Ended) -> (Ran, Outcome) {
    let outcome = libtest::parse(&ended.output).unwrap_or_default();
    let mut ran = Ran { tally: outcome.tally.clone(), ..Ran::default() };
    if ended.status != 0 {
        ran.told = format!("{}\nended with status {}\n", ended.output.trim_end(), ended.status);
        ran.tally.failed = ran.tally.failed.max(1);
    }
    (ran, outcome)
}
