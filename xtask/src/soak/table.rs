//! What came of all starts.

use std::fmt;
use std::ops::Range;
use std::time::{Duration, Instant};

use super::inside::End;
use super::verdict::Stuck;
use super::watcher::Ending;
use crate::bench::vmm::Vmm;
use crate::host::StandStill;

/// The time between two lines of progress, if there is progress.
const PROGRESS: Duration = Duration::from_secs(30);

/// The figures of one VMM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Row {
    up: usize,
    failed: usize,
    idle: usize,
    busy: usize,
    spinning: usize,
}

impl Row {
    fn starts(&self) -> usize {
        self.up + self.failed + self.idle + self.busy + self.spinning
    }
}

/// All of them, growing.
pub struct Table {
    names: Vec<&'static str>,
    rows: Vec<Row>,
    /// Turns that no host has taken yet.
    left: Vec<Range<usize>>,
    lost_interrupts: u32,
    hosts: u32,
    began: Instant,
    told: Instant,
}

impl Table {
    /// For so many starts by each of `vmms`.
    pub fn new(vmms: &[Vmm], starts: u32) -> Table {
        let names: Vec<_> = vmms.iter().map(|vmm| vmm.kind.name()).collect();
        let turns = names.len() * starts as usize;
        Table {
            rows: vec![Row::default(); names.len()],
            names,
            left: std::iter::once(0..turns).collect(),
            lost_interrupts: 0,
            hosts: 0,
            began: Instant::now(),
            told: Instant::now(),
        }
    }

    /// At most `most` turns for a host.
    pub fn take_turns(&mut self, most: usize) -> Option<Range<usize>> {
        let mut turns = self.left.pop()?;
        if turns.len() > most {
            self.left.push(turns.start + most..turns.end);
            turns.end = turns.start + most;
        }
        self.hosts += 1;
        Some(turns)
    }

    /// A turn ended by itself.
    pub fn add(&mut self, turn: usize, end: End) {
        let row = turn % self.rows.len();
        match end {
            End::Up => self.rows[row].up += 1,
            End::Failed(why) => {
                self.rows[row].failed += 1;
                println!("{} failed: {}", self.names[row], why.trim_end());
            }
        }
        self.progress();
    }

    /// A host ended, and with it a turn that did not.
    pub fn host_ended(&mut self, ending: Ending) {
        self.lost_interrupts += ending.lost_interrupts;
        let mut left = ending.left;
        if let Some(stuck) = ending.stuck
            && let Some(turn) = left.next()
        {
            let row = turn % self.rows.len();
            println!(
                "{}: start {} did not end: {stuck}{}",
                self.names[row],
                self.rows[row].starts() + 1,
                if stuck.is_the_hosts() { " (the emulator's fault)" } else { "" }
            );
            let row = &mut self.rows[row];
            let count = match stuck {
                Stuck::Host(StandStill::Idle(_)) => &mut row.idle,
                Stuck::Host(StandStill::Busy(_)) => &mut row.busy,
                Stuck::Host(StandStill::Spinning(_)) => &mut row.spinning,
                Stuck::Vmm { .. } => &mut row.failed,
            };
            *count += 1;
            self.progress();
        }
        if !left.is_empty() {
            self.left.push(left);
        }
    }

    /// Whether a VMM failed.
    pub fn has_failed(&self) -> bool {
        self.rows.iter().any(|row| row.failed > 0)
    }

    fn progress(&mut self) {
        if self.told.elapsed() >= PROGRESS {
            self.told = Instant::now();
            let starts: usize = self.rows.iter().map(Row::starts).sum();
            println!("{starts} starts in {} s", self.began.elapsed().as_secs());
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:16} {:>7} {:>7} {:>11} {:>10} {:>10} {:>14}",
            "", "starts", "up", "VMM failed", "host idle", "host busy", "guest spinning"
        )?;
        for (name, row) in self.names.iter().zip(&self.rows) {
            writeln!(
                f,
                "{name:16} {:>7} {:>7} {:>11} {:>10} {:>10} {:>14}",
                row.starts(),
                row.up,
                row.failed,
                row.idle,
                row.busy,
                row.spinning
            )?;
        }
        writeln!(
            f,
            "{} emulated hosts; {} interrupts that the emulator lost were made good",
            self.hosts, self.lost_interrupts
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::vmm::Kind;

    fn table(starts: u32) -> Table {
        let vmm = |kind| Vmm { kind, path: "/x".into() };
        Table::new(&[vmm(Kind::Bulkhead), vmm(Kind::Firecracker)], starts)
    }

    #[test]
    fn every_turn_is_taken_once_and_goes_to_its_vmm() {
        let mut table = table(3);
        assert_eq!(table.take_turns(4), Some(0..4));
        assert_eq!(table.take_turns(4), Some(4..6));
        assert_eq!(table.take_turns(4), None);
        (0..2).for_each(|turn| table.add(turn, End::Up));
        let stuck = Some(StandStill::Idle(Duration::from_secs(15)).into());
        table.host_ended(Ending { left: 2..4, stuck, lost_interrupts: 2 });
        assert_eq!(table.take_turns(4), Some(3..4));
        let row = |up, idle| Row { up, idle, ..Row::default() };
        assert_eq!(table.rows, [row(1, 1), row(1, 0)]);
        assert_eq!((table.has_failed(), table.lost_interrupts, table.hosts), (false, 2, 3));
    }

    #[test]
    fn only_a_vmms_failure_is_one() {
        for stuck in [StandStill::Spinning(8), StandStill::Busy(Duration::ZERO)] {
            let mut table = table(1);
            table.host_ended(Ending { left: 0..2, stuck: Some(stuck.into()), lost_interrupts: 0 });
            assert!(!table.has_failed() && table.to_string().lines().count() == 4, "{table}");
        }
        let mut sleeps = table(1);
        let stuck = Some(Stuck::Vmm { asleep: true });
        sleeps.host_ended(Ending { left: 0..2, stuck, lost_interrupts: 0 });
        assert!(sleeps.has_failed());
        let mut ended = table(1);
        ended.add(1, End::Failed("why".into()));
        assert!(ended.has_failed());
    }
}
