//! What waits for an emulated host: the longest first, so that nothing long is left for the end.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::arch::Arch;

/// What waits.
pub trait Waits {
    /// How long it will probably take.
    fn expected(&self) -> Duration;
    /// It may run in a host in which something ran before, of this architecture. `None` when it needs none.
    fn shares(&self) -> Option<Arch>;
}

/// A queue that is filled and emptied at the same time.
pub struct Queue<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    waiting: Vec<T>,
    feeders: usize,
}

/// Somebody who may still add something. The queue is at its end when there is none.
pub struct Feeder<'a, T>(&'a Queue<T>);

impl<T> Default for Queue<T> {
    fn default() -> Queue<T> {
        let state = State { waiting: Vec::new(), feeders: 0 };
        Queue { state: Mutex::new(state), changed: Condvar::new() }
    }
}

impl<T> Queue<T> {
    /// One more who may add something.
    pub fn feeder(&self) -> Feeder<'_, T> {
        self.lock().feeders += 1;
        Feeder(self)
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Waits> Queue<T> {
    /// The next one for who has a host of the architecture `at_hand`, once there is one; `None` at the end.
    pub fn next(&self, at_hand: Option<Arch>) -> Option<T> {
        let mut state = self.lock();
        loop {
            if let Some(number) = choose(&state.waiting, at_hand) {
                return Some(state.waiting.swap_remove(number));
            }
            if state.feeders == 0 {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// The longest; but once only those are left that share a host, one that can have the host at hand.
fn choose<T: Waits>(waiting: &[T], at_hand: Option<Arch>) -> Option<usize> {
    let longest = |fits: &dyn Fn(&T) -> bool| {
        let fitting = waiting.iter().enumerate().filter(|(_, job)| fits(job));
        fitting.max_by_key(|(_, job)| job.expected()).map(|(number, _)| number)
    };
    let first = longest(&|_| true)?;
    let fitting = || longest(&|job| job.shares() == at_hand);
    let shares = at_hand.is_some() && waiting[first].shares().is_some();
    shares.then(fitting).flatten().or(Some(first))
}

impl<T> Feeder<'_, T> {
    /// Adds something.
    pub fn add(&self, job: T) {
        self.0.lock().waiting.push(job);
        self.0.changed.notify_one();
    }
}

impl<T> Drop for Feeder<'_, T> {
    fn drop(&mut self) {
        self.0.lock().feeders -= 1;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[derive(Debug, PartialEq, Eq)]
    struct Job(u64, Option<Arch>);

    impl Waits for Job {
        fn expected(&self) -> Duration {
            Duration::from_secs(self.0)
        }

        fn shares(&self) -> Option<Arch> {
            self.1
        }
    }

    #[test]
    fn the_longest_is_first_and_what_shares_a_host_stays_with_it() {
        let queue = Queue::default();
        let feeder = queue.feeder();
        let (x86, arm) = (Some(Arch::X86_64), Some(Arch::Aarch64));
        for job in [Job(1, x86), Job(3, arm), Job(200, None), Job(4, x86), Job(2, arm)] {
            feeder.add(job);
        }
        drop(feeder);
        let at_hands = [arm, arm, arm, None, x86, x86];
        let taken = at_hands.map(|at_hand| queue.next(at_hand).map(|job| job.0));
        assert_eq!(taken, [Some(200), Some(3), Some(2), Some(4), Some(1), None]);
    }

    #[test]
    fn an_empty_queue_is_waited_for_while_something_may_come() {
        let queue = Queue::default();
        let feeder = queue.feeder();
        thread::scope(|scope| {
            let taker = scope.spawn(|| [queue.next(None), queue.next(None)]);
            feeder.add(Job(1, None));
            drop(feeder);
            assert_eq!(taker.join().unwrap(), [Some(Job(1, None)), None]);
        });
    }
}
