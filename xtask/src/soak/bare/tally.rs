//! What came of all rounds.

use std::fmt;
use std::time::Instant;

use super::round::{Kind, Round};

/// What came of one round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All was as it has to be.
    Right,
    /// The VMM ended otherwise than it has to: how.
    Wrong(String),
    /// It did not end: what its threads did.
    Lost(String),
}

impl Outcome {
    /// What a person is told of it, if there is anything to tell.
    pub fn describe(&self, round: &Round) -> Option<String> {
        let (what, how) = match self {
            Outcome::Right => return None,
            Outcome::Wrong(how) => ("wrong", how),
            Outcome::Lost(how) => ("lost", how),
        };
        let again = format!("cargo xtask soak --bare --seed {} --rounds 1", round.seed);
        Some(format!("{what}: {round}\n{how}\nagain: {again}"))
    }
}

/// The figures of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Row {
    rounds: u32,
    lost: u32,
    wrong: u32,
}

/// All of them, growing.
#[derive(Debug)]
pub struct Tally {
    rows: [Row; Kind::ALL.len()],
    began: Instant,
}

impl Default for Tally {
    fn default() -> Self {
        Tally { rows: Default::default(), began: Instant::now() }
    }
}

impl Tally {
    /// A round has ended.
    pub fn add(&mut self, kind: Kind, outcome: &Outcome) {
        let row = &mut self.rows[kind as usize];
        row.rounds += 1;
        match outcome {
            Outcome::Right => {}
            Outcome::Wrong(_) => row.wrong += 1,
            Outcome::Lost(_) => row.lost += 1,
        }
    }

    /// How far it is, of so many rounds.
    pub fn progress(&self, of: u32) -> String {
        let Row { rounds, lost, wrong } = self.sum();
        format!("{rounds} of {of} rounds, {lost} lost, {wrong} wrong")
    }

    /// Whether anything was lost or wrong.
    pub fn has_failed(&self) -> bool {
        self.sum().lost + self.sum().wrong > 0
    }

    /// How many kinds of rounds there were without a fault, and with one.
    pub fn kinds(&self) -> (usize, usize) {
        let taken = self.rows.iter().filter(|row| row.rounds > 0);
        let failed = taken.clone().filter(|row| row.lost + row.wrong > 0).count();
        (taken.count() - failed, failed)
    }

    fn sum(&self) -> Row {
        self.rows.iter().fold(Row::default(), |sum, row| Row {
            rounds: sum.rounds + row.rounds,
            lost: sum.lost + row.lost,
            wrong: sum.wrong + row.wrong,
        })
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:8} {:>7} {:>7} {:>7}", "", "rounds", "lost", "wrong")?;
        let names = Kind::ALL.map(Kind::name).into_iter().chain(["all"]);
        let rows = self.rows.iter().copied().chain([self.sum()]);
        for (name, Row { rounds, lost, wrong }) in names.zip(rows) {
            writeln!(f, "{name:8} {rounds:>7} {lost:>7} {wrong:>7}")?;
        }
        writeln!(f, "in {} s", self.began.elapsed().as_secs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_lost_or_wrong_is_counted_by_its_kind_and_fails() {
        let mut tally = Tally::default();
        tally.add(Kind::Boot, &Outcome::Right);
        tally.add(Kind::Storm, &Outcome::Right);
        assert_eq!((tally.has_failed(), tally.kinds()), (false, (2, 0)));
        tally.add(Kind::Kill, &Outcome::Lost("why".into()));
        tally.add(Kind::Storm, &Outcome::Wrong("why".into()));
        assert_eq!((tally.has_failed(), tally.kinds()), (true, (1, 2)));
        assert_eq!(tally.progress(9), "4 of 9 rounds, 1 lost, 1 wrong");
        let table = tally.to_string();
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(lines[3], "kill           1       1       0");
        assert_eq!(lines[5], "all            4       1       1");
    }

    #[test]
    fn a_fault_comes_with_the_command_that_repeats_it() {
        let round = Round::of(77);
        assert_eq!(Outcome::Right.describe(&round), None);
        let text = Outcome::Wrong("status 1".into()).describe(&round).unwrap();
        let again = "again: cargo xtask soak --bare --seed 77 --rounds 1";
        assert!(text.starts_with("wrong: ") && text.contains("status 1") && text.ends_with(again));
    }
}
