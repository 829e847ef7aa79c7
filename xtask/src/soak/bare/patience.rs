//! When a VMM counts as lost: by what it worked, not by time, for a loaded machine only takes longer.

use std::time::Duration;

use crate::host::Activity;

/// How often a VMM that says nothing is looked at.
pub const PERIOD: Duration = Duration::from_secs(1);

/// The work of a period in which nothing was done.
const IDLE_WORK: Duration = Duration::from_millis(20);

/// So many idle periods are the end. More than the 60 s for which a VMM waits for who reads its guest's last words
/// (hypervisor/src/limits.rs, `LAST_WORDS`); a guest of ours that waits is woken in far less.
const MAX_IDLE_PERIODS: u32 = 90;

/// The most processor time without a word: a whole round takes less than one of it.
const MAX_WORK: Duration = Duration::from_secs(120);

/// So many periods are the end in any case: there are ways to wait, for a disk or for whoever stopped it, that are neither
/// sleep nor work. On the busiest machine a round takes some of them.
const MAX_PERIODS: u32 = 900;

/// Looks at one VMM.
pub struct Patience {
    /// What it had done when it last said something, or was asked to end.
    began: Activity,
    /// What it had done a period ago.
    last: Activity,
    periods: u32,
    idle_periods: u32,
}

impl Patience {
    /// It has done so much.
    pub fn new(now: Activity) -> Patience {
        Patience { began: now, last: now, periods: 0, idle_periods: 0 }
    }

    /// A period has passed without a word.
    pub fn is_at_an_end(&mut self, now: Activity) -> bool {
        let was_idle = now.slept_since(self.last, IDLE_WORK);
        self.last = now;
        self.periods += 1;
        self.idle_periods = if was_idle { self.idle_periods + 1 } else { 0 };
        // A thread that has ended is missing from the sum.
        let work = now.work.saturating_sub(self.began.work);
        self.idle_periods >= MAX_IDLE_PERIODS || self.periods >= MAX_PERIODS || work >= MAX_WORK
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_by_sleep_or_by_work_and_late_by_waiting_for_a_processor() {
        let activity = |work, waiting, asleep| Activity {
            work: Duration::from_secs(work),
            waiting: Duration::from_secs(waiting),
            asleep,
        };
        let mut sleeps = Patience::new(activity(1, 0, true));
        let mut look = || sleeps.is_at_an_end(activity(1, 0, true));
        assert!((1..MAX_IDLE_PERIODS).all(|_| !look()) && look());
        let mut works = Patience::new(activity(1, 0, true));
        assert!(!works.is_at_an_end(activity(120, 0, false)));
        assert!(works.is_at_an_end(activity(121, 0, false)));
        let mut waits = Patience::new(activity(1, 0, false));
        let mut look = |second: u32| waits.is_at_an_end(activity(1, second.into(), false));
        assert!((1..MAX_PERIODS).all(|second| !look(second)) && look(MAX_PERIODS));
    }
}
