//! What came of all lives.

use std::fmt;
use std::time::Instant;

use super::kind::Kind;
use super::life::{Guest, Life};
use super::plan::Told;

/// The figures of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Row {
    lives: u32,
    wrong: u32,
}

/// All of them, growing.
#[derive(Debug)]
pub struct Tally {
    guest: Guest,
    rows: [Row; Kind::ALL.len()],
    swept: u32,
    stood_still: u32,
    began: Instant,
}

impl Tally {
    /// Of lives with this guest.
    pub fn new(guest: Guest) -> Tally {
        let rows = Default::default();
        Tally { guest, rows, swept: 0, stood_still: 0, began: Instant::now() }
    }

    /// Lives have ended. Where something was left nobody knows by which of them, so that all of them count as wrong.
    pub fn add(&mut self, told: &Told) {
        for number in 0..told.lives {
            let life = Life::of(told.seed.wrapping_add(number.into()), self.guest);
            let row = &mut self.rows[Kind::of(&life) as usize];
            row.lives += 1;
            row.wrong += u32::from(!told.faults.is_empty());
        }
        self.swept += u32::from(told.swept);
    }

    /// The host of some stood still, and they are led once more in another.
    pub fn stood_still(&mut self) {
        self.stood_still += 1;
    }

    /// How far it is, of so many lives.
    pub fn progress(&self, of: u32) -> String {
        let Row { lives, wrong } = self.sum();
        format!("{lives} of {of} lives, {wrong} wrong")
    }

    /// Whether anything went wrong.
    pub fn has_failed(&self) -> bool {
        self.sum().wrong > 0
    }

    /// How many lives there were.
    pub fn lives(&self) -> u32 {
        self.sum().lives
    }

    /// How many kinds of lives there were without a fault, and with one.
    pub fn kinds(&self) -> (usize, usize) {
        let led = self.rows.iter().filter(|row| row.lives > 0);
        let failed = led.clone().filter(|row| row.wrong > 0).count();
        (led.count() - failed, failed)
    }

    fn sum(&self) -> Row {
        self.rows.iter().fold(Row::default(), |sum, row| Row {
            lives: sum.lives + row.lives,
            wrong: sum.wrong + row.wrong,
        })
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:22} {:>7} {:>7}", "", "lives", "wrong")?;
        let names = Kind::ALL.map(Kind::name).into_iter().chain(["all"]);
        let rows = self.rows.iter().copied().chain([self.sum()]);
        for (name, Row { lives, wrong }) in names.zip(rows) {
            writeln!(f, "{name:22} {lives:>7} {wrong:>7}")?;
        }
        let Tally { swept, stood_still, .. } = self;
        writeln!(f, "folders of VMs left to the next run {swept} times")?;
        if *stood_still > 0 {
            writeln!(f, "emulated hosts that stood still: {stood_still}")?;
        }
        writeln!(f, "in {} s", self.began.elapsed().as_secs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lives_are_counted_by_their_kind_and_one_fault_fails() {
        let told = |seed, lives, faults: &[&str]| {
            let faults = faults.iter().map(|fault| (*fault).to_owned()).collect();
            Told { seed, lives, faults, swept: seed == 0 }
        };
        let mut tally = Tally::new(Guest::Linux);
        tally.add(&told(0, 3, &[]));
        assert!(!tally.has_failed() && tally.kinds().1 == 0);
        tally.add(&told(3, 2, &["file x"]));
        assert!(tally.has_failed() && tally.kinds().1 > 0);
        assert_eq!(tally.progress(9), "5 of 9 lives, 2 wrong");
        let table = tally.to_string();
        assert!(table.contains("\nall                          5       2\n"), "{table}");
        assert!(table.contains("next run 1 times") && !table.contains("stood still"), "{table}");
        tally.stood_still();
        assert!(tally.to_string().contains("stood still: 1"));
    }
}
