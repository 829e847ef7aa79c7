//! What is under way, and when it is time to say so. It knows no clock: times count from the start of this program.

use std::time::Duration;

/// Somebody who has no terminal reads a line at least every 30 s; who writes it may be late by some of them.
const TELL_EVERY: Duration = Duration::from_secs(25);

/// So many steps are in a line; of others it has the number.
const NAMED: usize = 3;

/// A step that is under way.
struct Entry {
    number: u64,
    what: String,
    /// Empty when nothing is known about it.
    how_far: String,
}

/// All steps that are under way.
#[derive(Default)]
pub struct Board {
    entries: Vec<Entry>,
    next: u64,
    /// When something was said last.
    said: Duration,
}

impl Board {
    /// A step begins. Its number.
    pub fn add(&mut self, what: &str) -> u64 {
        self.next += 1;
        let entry = Entry { number: self.next, what: what.to_owned(), how_far: String::new() };
        self.entries.push(entry);
        self.next
    }

    /// It has come so far.
    pub fn set(&mut self, number: u64, how_far: &str) {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.number == number) {
            how_far.clone_into(&mut entry.how_far);
        }
    }

    /// It is over.
    pub fn remove(&mut self, number: u64) {
        self.entries.retain(|entry| entry.number != number);
    }

    /// Something was said at the time `now`.
    pub fn said(&mut self, now: Duration) {
        self.said = now;
    }

    /// How long nothing has to be said from `now` on; `None` while nothing is under way.
    pub fn quiet_for(&self, now: Duration) -> Option<Duration> {
        let due = self.said + TELL_EVERY;
        (!self.entries.is_empty()).then(|| due.saturating_sub(now))
    }

    /// What is to be said at the time `now`: nothing, unless it is time.
    pub fn line(&mut self, now: Duration) -> Option<String> {
        if self.quiet_for(now) != Some(Duration::ZERO) {
            return None;
        }
        self.said = now;
        let mut steps: Vec<String> = self.entries.iter().take(NAMED).map(Entry::words).collect();
        let more = self.entries.len() - steps.len();
        if more > 0 {
            steps.push(format!("and {more} more"));
        }
        Some(format!("xtask: {} s: {}", now.as_secs(), steps.join("; ")))
    }
}

impl Entry {
    fn words(&self) -> String {
        let Entry { what, how_far, .. } = self;
        if how_far.is_empty() { what.clone() } else { format!("{what}: {how_far}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_line_comes_every_30_seconds_whatever_the_number_of_steps() {
        let mut board = Board::default();
        let mut said = Vec::new();
        // Steps of 7 s each: none is long, and all together are.
        for second in 0..210 {
            if second % 7 == 0 {
                let number = board.add(&format!("step {}", second / 7));
                board.remove(number - 1);
            }
            if board.line(at(second)).is_some() {
                said.push(second);
            }
        }
        said.push(210);
        let mut before = 0;
        for second in said {
            assert!(second - before <= 30, "nothing from {before} to {second}");
            before = second;
        }
    }

    #[test]
    fn a_line_says_what_is_done_how_far_it_is_and_since_when() {
        let mut board = Board::default();
        let compiling = board.add("compiling bulkhead");
        let downloading = board.add("downloading a kernel");
        board.set(compiling, "34 of 180 crates");
        let line = board.line(at(60)).unwrap();
        assert_eq!(line, "xtask: 60 s: compiling bulkhead: 34 of 180 crates; downloading a kernel");
        board.set(downloading, "12 MB");
        board.remove(compiling);
        board.set(compiling, "too late");
        assert_eq!(board.line(at(61)), None);
        assert_eq!(board.line(at(90)).unwrap(), "xtask: 90 s: downloading a kernel: 12 MB");
    }

    #[test]
    fn many_steps_are_one_short_line() {
        let mut board = Board::default();
        for name in ["a", "b", "c", "d", "e"] {
            board.add(name);
        }
        assert_eq!(board.line(at(30)).unwrap(), "xtask: 30 s: a; b; c; and 2 more");
    }

    #[test]
    fn where_nothing_is_under_way_or_something_was_just_said_there_is_quiet() {
        let mut board = Board::default();
        assert_eq!((board.quiet_for(at(100)), board.line(at(100))), (None, None));
        board.said(at(100));
        board.add("step");
        assert_eq!(board.quiet_for(at(110)), Some(at(15)));
        assert_eq!(board.line(at(110)), None);
        assert!(board.line(at(125)).is_some());
    }
}
