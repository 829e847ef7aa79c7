//! How many tests passed, failed and were skipped.

use std::fmt;

use crate::run::bare;

/// A count of tests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Tests that did their work and passed.
    pub passed: usize,
    /// Tests that failed.
    pub failed: usize,
    /// `NAME: REASON` of each test that did not do its work.
    pub skipped: Vec<String>,
}

impl Tally {
    /// A step that is one test.
    pub fn one_passed() -> Tally {
        Tally { passed: 1, ..Tally::default() }
    }

    /// Likewise.
    pub fn one_failed() -> Tally {
        Tally { failed: 1, ..Tally::default() }
    }

    /// Adds another count.
    pub fn add(&mut self, other: Tally) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped.extend(other.skipped);
    }

    /// How many tests they are.
    pub fn count(&self) -> usize {
        self.passed + self.failed + self.skipped.len()
    }

    /// Nothing failed and something passed.
    pub fn is_success(&self) -> bool {
        self.failed == 0 && self.passed > 0
    }

    /// The skipped tests by name.
    pub fn skips(&self) -> impl Iterator<Item = String> {
        self.skipped.iter().map(|skip| format!("SKIPPED: {skip}\n"))
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally { passed, failed, skipped } = self;
        write!(f, "{passed} passed, {failed} failed, {} skipped", skipped.len())
    }
}

impl From<bare::Report> for Tally {
    fn from(report: bare::Report) -> Tally {
        let skipped = report.skipped.iter().map(|what| match what.split_once(' ') {
            Some((name, reason)) => format!("bare guest {name}: {reason}"),
            None => format!("bare guest {what}: no reason given"),
        });
        Tally { passed: report.passed, failed: report.failed, skipped: skipped.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_added() {
        let mut total = Tally::one_passed();
        total.add(Tally { passed: 2, failed: 0, skipped: vec!["a: why".into()] });
        assert!(total.is_success());
        assert_eq!(total.to_string(), "3 passed, 0 failed, 1 skipped");
        assert_eq!((total.count(), total.skips().collect()), (4, "SKIPPED: a: why\n".to_owned()));
        total.add(Tally::one_failed());
        assert!(!total.is_success());
        assert!(!Tally::default().is_success());
    }
}
