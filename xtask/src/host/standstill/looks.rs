//! Looks at the processor: whether it spins at one place.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Activity, PERIOD};
use crate::error::Error;
use crate::host::monitor::{Monitor, Processor, spinning_at};

/// So many looks in a row, one a [`PERIOD`] of work, find a host's processor at one place.
const LOOKS: usize = 60;

/// The last looks at an x86_64 host's processor, while QEMU worked without a pause.
pub struct Looks {
    looks: VecDeque<Processor>,
    /// What QEMU had done a period ago.
    last: Activity,
    /// What it had worked at the last look.
    worked: Duration,
}

impl Looks {
    /// None yet.
    pub fn new(now: Activity) -> Looks {
        Looks { looks: VecDeque::with_capacity(LOOKS), last: now, worked: now.work }
    }

    /// Looks once more if there is something to see at the end of a period, and tells where the processor spins.
    ///
    /// That is one question at most, which QEMU answers beside its processor's thread, without stopping it.
    pub fn look(&mut self, emulator: &Monitor, now: Activity) -> Result<Option<u64>, Error> {
        if self.is_due(now) { Ok(self.add(emulator.processor()?)) } else { Ok(None) }
    }

    fn is_due(&mut self, now: Activity) -> bool {
        // A processor that spins never sleeps.
        if now.slept_since(self.last, PERIOD / 2) {
            self.looks.clear();
        }
        self.last = now;
        // What did not work stands where it stood, for want of a processor.
        let is_due = now.work.saturating_sub(self.worked) >= PERIOD / 2;
        if is_due {
            self.worked = now.work;
        }
        is_due
    }

    fn add(&mut self, processor: Processor) -> Option<u64> {
        if self.looks.len() == LOOKS {
            self.looks.pop_front();
        }
        self.looks.push_back(processor);
        if self.looks.len() == LOOKS { spinning_at(self.looks.make_contiguous()) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPINS: Processor = at(0xffff_ffff_8111_a923, false);

    const fn at(instruction: u64, interrupts: bool) -> Processor {
        Processor { instruction, interrupts, halted: false }
    }

    /// QEMU after so much work and waiting.
    fn activity(work_ms: u64, waiting_ms: u64, asleep: bool) -> Activity {
        let [work, waiting] = [work_ms, waiting_ms].map(Duration::from_millis);
        Activity { work, waiting, asleep }
    }

    /// How many of `periods` it takes to know, when each has the activity and the processor that the two tell.
    fn known_after(
        periods: u64,
        activity: impl Fn(u64) -> Activity,
        processor: impl Fn(u64) -> Processor,
    ) -> Option<u64> {
        let mut looks = Looks::new(activity(0));
        (1..=periods).find(|&period| {
            looks.is_due(activity(period)) && looks.add(processor(period)).is_some()
        })
    }

    #[test]
    fn a_guest_that_spins_is_known_by_many_looks_in_a_row() {
        let works = |period| activity(period * 1000, 0, false);
        assert_eq!(known_after(1000, works, |_| SPINS), Some(60));
        // The host's own ticks are seen between, and what the host does before the guest begins to spin.
        let tick = at(0xffff_ffff_8200_0000, false);
        let ticks = |period| if period % 5 == 0 { tick } else { SPINS };
        assert_eq!(known_after(1000, works, ticks), Some(60));
        let begins = |period| if period < 500 { at(period << 12, false) } else { SPINS };
        assert_eq!(known_after(1000, works, begins), Some(544), "three in four of the last 60");
    }

    #[test]
    fn a_machine_that_is_ten_times_slower_only_takes_longer() {
        let starved = |period| activity(period * 100, period * 900, false);
        assert_eq!(
            known_after(1000, starved, |_| SPINS),
            Some(300),
            "60 times half a second of work"
        );
        let stopped = |_| activity(0, 0, false);
        assert_eq!(known_after(1000, stopped, |_| SPINS), None);
    }

    #[test]
    fn a_host_that_is_only_busy_is_none() {
        let works = |period| activity(period * 1000, 0, false);
        assert_eq!(known_after(1000, works, |period| at(period << 12, false)), None);
        assert_eq!(known_after(1000, works, |_| at(8, true)), None, "a loop that takes interrupts");
        // Its kernel is at one place with interrupts off in two looks of three, as when it serves a guest's every byte.
        let serves = |period| if period % 3 == 0 { at(8, true) } else { SPINS };
        assert_eq!(known_after(1000, works, serves), None);
        let halted = |_| Processor { halted: true, ..SPINS };
        assert_eq!(known_after(1000, works, halted), None);
    }

    #[test]
    fn a_host_that_sleeps_between_does_not_spin() {
        // It works for 49 s, then has nothing to do for one.
        let pauses =
            |period| activity((period - period / 50) * 1000, 0, matches!(period % 50, 49 | 0));
        assert_eq!(known_after(1000, pauses, |_| SPINS), None);
        let idle = |period| activity(period, 0, true);
        assert_eq!(known_after(1000, idle, |_| SPINS), None);
    }
}
