//! Reads what comes from a host, and notices when nothing comes any more.

use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::time::Duration;

use super::inside::End;
use super::verdict::{self, Stuck};
use crate::arch::Arch;
use crate::error::{Doing, Error};
use crate::host::{Activity, Monitor};
use crate::readable::is_readable_within;

/// How often the emulator is looked at while nothing comes.
const PERIOD: Duration = Duration::from_secs(1);

/// The work of a period in which the emulator did nothing but answer for its host.
const IDLE_WORK: Duration = Duration::from_millis(100);

/// So many idle periods are the end: a guest on its way works, and one that sleeps has its own timer wake it.
const MAX_IDLE_PERIODS: u32 = 60;

/// The most processor time of the emulator for one start, before one is known: a Debian guest takes 10 s.
const FIRST_WORK: Duration = Duration::from_secs(300);

/// A start that takes so many times the work of the longest until now does not end any more.
const TIMES_THE_LONGEST: u32 = 20;

/// And not less than this: short starts differ more.
const LEAST_WORK: Duration = Duration::from_secs(60);

/// How a host's turns ended.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Ending {
    /// The turns that were not taken.
    pub left: Range<usize>,
    /// Why the first of them did not end.
    pub stuck: Option<Stuck>,
    /// Interrupts that the emulator lost and that were made good.
    pub lost_interrupts: u32,
}

/// Watches over one host.
pub struct Watcher {
    arch: Arch,
    monitor: Monitor,
    lines: File,
    turns: Range<usize>,
}

impl Watcher {
    /// Reads from `lines` how `turns` end in a host of `arch`.
    pub fn new(arch: Arch, monitor: Monitor, lines: OwnedFd, turns: Range<usize>) -> Watcher {
        Watcher { arch, monitor, lines: File::from(lines), turns }
    }

    /// Until the host's words end; ends the host when it gets nowhere.
    pub fn watch(mut self, tell: &(dyn Fn(usize, End) + Sync)) -> Result<Ending, Error> {
        let mut text = Vec::new();
        let mut patience = Patience::new(self.monitor.activity()?);
        loop {
            let doing = || "read a host's words".to_owned();
            if !is_readable_within(&self.lines, PERIOD).doing(doing)? {
                // Gone, with its reason elsewhere.
                let Ok(now) = self.monitor.activity() else { return Ok(self.ending(None)) };
                if patience.is_at_an_end(now) {
                    let stuck = verdict::look(&self.monitor, self.arch);
                    self.monitor.kill();
                    return Ok(self.ending(Some(stuck?)));
                }
                continue;
            }
            let mut buffer = [0; 4096];
            let length = self.lines.read(&mut buffer).doing(doing)?;
            if length == 0 {
                return Ok(self.ending(None));
            }
            text.extend_from_slice(&buffer[..length]);
            while let Some(end) = text.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = text.drain(..=end).collect();
                let end = serde_json::from_slice(&line)
                    .map_err(|error| Error::Content(format!("a host's words: {error}")))?;
                if let Some(turn) = self.turns.next() {
                    tell(turn, end);
                }
                if let Ok(now) = self.monitor.activity() {
                    patience.turn_ended(now);
                }
            }
        }
    }

    fn ending(&self, stuck: Option<Stuck>) -> Ending {
        Ending { left: self.turns.clone(), stuck, lost_interrupts: 0 }
    }
}

/// Counts in the emulator's work, not in time: a loaded machine only takes longer.
struct Patience {
    /// What it had done when the last turn ended.
    began: Activity,
    /// What it had done a period ago.
    last: Activity,
    idle_periods: u32,
    /// The work of the longest turn but the first, in which the host's files come in.
    longest: Option<Duration>,
    is_first: bool,
}

impl Patience {
    fn new(now: Activity) -> Patience {
        Patience { began: now, last: now, idle_periods: 0, longest: None, is_first: true }
    }

    fn turn_ended(&mut self, now: Activity) {
        let work = now.work.saturating_sub(self.began.work);
        if !std::mem::take(&mut self.is_first) {
            self.longest = Some(self.longest.map_or(work, |longest| longest.max(work)));
        }
        self.began = now;
        self.last = now;
        self.idle_periods = 0;
    }

    /// A period without a word has passed.
    fn is_at_an_end(&mut self, now: Activity) -> bool {
        let was_idle = now.slept_since(self.last, IDLE_WORK);
        self.last = now;
        self.idle_periods = if was_idle { self.idle_periods + 1 } else { 0 };
        let most = match self.longest {
            Some(longest) => LEAST_WORK.max(longest * TIMES_THE_LONGEST),
            None => FIRST_WORK,
        };
        self.idle_periods >= MAX_IDLE_PERIODS || now.work.saturating_sub(self.began.work) > most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn activity(work: u64, asleep: bool) -> Activity {
        Activity { work: Duration::from_secs(work), waiting: Duration::ZERO, asleep }
    }

    #[test]
    fn patience_ends_by_work_or_by_sleep() {
        let mut patience = Patience::new(activity(10, false));
        assert!(!patience.is_at_an_end(activity(310, false)));
        assert!(patience.is_at_an_end(activity(311, false)));
        patience.turn_ended(activity(400, false));
        patience.turn_ended(activity(405, false));
        assert!(!patience.is_at_an_end(activity(505, false)));
        assert!(patience.is_at_an_end(activity(506, false)));
        patience.turn_ended(activity(506, true));
        let sleeps = |patience: &mut Patience| patience.is_at_an_end(activity(506, true));
        assert!((1..MAX_IDLE_PERIODS).all(|_| !sleeps(&mut patience)));
        assert!(sleeps(&mut patience));
    }
}
