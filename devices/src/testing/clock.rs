//! A clock device between a guest at its registers and a host whose time a test moves.

use std::time::Duration;

use super::{Counter, Hand};
use crate::Interrupt;
use crate::fixed::clock::{Clock, RealTimeClock};

/// What a clock is built with: the time of day and its interrupt line.
pub type Build<D> = fn(Box<dyn Clock>, Box<dyn Interrupt>) -> D;

/// A clock and its surroundings.
pub struct Bench<D> {
    /// The device.
    pub rtc: D,
    /// The time of day, which several clocks may share.
    pub hand: Hand,
    /// Counts its interrupts.
    pub irq: Counter,
}

/// All that guest and host can see of an act.
#[derive(Debug, PartialEq)]
pub struct Seen<T> {
    /// What the act gave the guest.
    pub answer: T,
    /// How many interrupts it brought.
    pub edges: usize,
    /// When the device wants to be called after it.
    pub next_event: Option<Duration>,
}

impl<D: RealTimeClock> Bench<D> {
    /// Around a new device.
    pub fn of(build: Build<D>, hand: Hand) -> Self {
        let irq = Counter::default();
        Self { rtc: build(Box::new(hand.clone()), Box::new(irq.clone())), hand, irq }
    }

    /// Has something done; gives what can be seen of it.
    pub fn seen<T>(&mut self, act: impl FnOnce(&mut Self) -> T) -> Seen<T> {
        let before = self.irq.count();
        let answer = act(self);
        Seen { answer, edges: self.irq.count() - before, next_event: self.rtc.next_event() }
    }

    /// The time at which a device asks to be called is neither early nor late: just before it nothing happens, at it the
    /// interrupt comes.
    pub fn await_next_event(&mut self) {
        self.rtc.tick();
        let Some(wait) = self.rtc.next_event() else { return };
        let wait = u64::try_from(wait.as_nanos()).ok();
        // The hand goes no further.
        let Some(then) = wait.and_then(|wait| self.hand.nanos().checked_add(wait)) else { return };
        if then > self.hand.nanos() {
            self.hand.set(then - 1);
            assert_eq!(self.seen(|bench| bench.rtc.tick()).edges, 0, "a nanosecond before it");
            self.hand.set(then);
        }
        assert_eq!(self.seen(|bench| bench.rtc.tick()).edges, 1, "at it");
    }
}
