//! The sum of all steps, told while they end and once more at the end.

use std::cmp::Reverse;
use std::fmt::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::ran::{Left, Ran};
use super::tally::Tally;
use crate::error::Error;
use crate::progress;

/// The sum so far.
#[derive(Default)]
pub struct Total(Mutex<Sum>);

#[derive(Default)]
struct Sum {
    tally: Tally,
    took: Vec<(String, Duration)>,
    stood_still: Vec<String>,
}

/// A step that has ended.
pub struct Step {
    /// How many tests it was.
    pub tests: usize,
    /// How long it took.
    pub took: Duration,
    /// What it left.
    pub left: Option<Left>,
}

impl Total {
    fn lock(&self) -> MutexGuard<'_, Sum> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells that something went wrong which is no step's result, and counts it.
    pub fn fail(&self, error: &Error) {
        println!("{error}");
        self.lock().tally.add(Tally::one_failed());
    }

    /// Tells that the step `name` has to be taken again, because the emulated host stood still.
    pub fn stood_still(&self, name: &str, why: &str) {
        let line = format!("emulated host stood still: {name} ran again in a new one ({why})");
        println!("{line}");
        self.lock().stood_still.push(line);
    }

    /// Takes one step and tells its result in a line, after what its failure printed.
    pub fn run(&self, name: &str, work: impl FnOnce() -> Result<Ran, Error>) -> Step {
        let start = Instant::now();
        let shown = progress::Step::start(name);
        let mut ran = work().unwrap_or_else(|error| Ran {
            tally: Tally::one_failed(),
            told: format!("{error}\n"),
            left: None,
        });
        drop(shown);
        let took = start.elapsed();
        if ran.tally != Tally::default() {
            println!("{}{name}: {} ({:.1} s)", ran.told, ran.tally, took.as_secs_f32());
        }
        for skipped in &mut ran.tally.skipped {
            *skipped = format!("{name}: {skipped}");
        }
        let is_row = ran.tally != Tally::default();
        let step = Step { tests: ran.tally.count(), took, left: ran.left };
        let mut sum = self.lock();
        if is_row {
            sum.took.push((name.to_owned(), took));
        }
        sum.tally.add(ran.tally);
        step
    }

    /// Nothing failed and something passed.
    pub fn is_success(&self) -> bool {
        self.lock().tally.is_success()
    }

    /// How long each step took, the longest first; what was skipped and what had to be repeated, by name; and the line with the
    /// sum, which is the last.
    pub fn closing(&self) -> String {
        let mut sum = self.lock();
        sum.took.sort_by_key(|took| Reverse(took.1));
        let mut text = String::from("seconds  step\n");
        for (name, took) in &sum.took {
            // Nothing can go wrong in writing to a string.
            let _ = writeln!(text, "{:7.1}  {name}", took.as_secs_f32());
        }
        text.extend(sum.tally.skips());
        sum.stood_still.iter().for_each(|line| text += &format!("{line}\n"));
        text + &sum.tally.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_alone_on_the_last_line() {
        let total = Total::default();
        let step = total.run("short", || Ok(Tally::one_passed().into()));
        assert_eq!((step.tests, step.left), (1, None));
        let skipped = Tally { passed: 2, failed: 0, skipped: vec!["a: why".into()] };
        total.run("long", || {
            std::thread::sleep(Duration::from_millis(50));
            Ok(skipped.into())
        });
        total.stood_still("long", "no answer");
        assert!(total.is_success());
        let text = total.closing();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].ends_with("  long"), "{text}");
        assert!(lines[2].ends_with("  short"), "{text}");
        assert_eq!(
            lines[3..],
            [
                "SKIPPED: long: a: why",
                "emulated host stood still: long ran again in a new one (no answer)",
                "3 passed, 0 failed, 1 skipped"
            ]
        );
        total.fail(&Error::Content("broken".into()));
        assert!(
            !total.is_success() && total.closing().ends_with("\n3 passed, 1 failed, 1 skipped")
        );
    }
}
