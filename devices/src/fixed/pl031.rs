//! PL031 real-time clock (Arm DDI 0224C): a counter of seconds, and one to compare it with.
//!
//! The time is never stored: it is the host's clock plus an offset, which is zero until the guest sets the clock. The chip counts
//! from zero after power-on, until firmware starts it and loads the time; here that has happened before the guest comes.
//!
//! | register | what |
//! |---|---|
//! | DR | seconds since 1970 |
//! | MR | the alarm: at this second the raw interrupt comes up |
//! | LR | sets the clock |
//! | CR | always 1: a clock that runs cannot be stopped |
//! | IMSC | 1 lets the interrupt through |
//! | RIS, MIS | the interrupt, raw and masked |
//! | ICR | 1 takes the interrupt away |
//!
//! Time comes in from outside, so a test, or this example, needs no waiting:
//!
//! ```
//! use bulkhead_devices::fixed::clock::{Clock, RealTimeClock};
//! use bulkhead_devices::fixed::pl031::Pl031;
//! use bulkhead_devices::{Interrupt, Registers};
//! use std::time::Duration;
//!
//! struct Still; // A host whose clock stands still, a second and a quarter after 1970 began.
//! impl Clock for Still {
//!     fn since_epoch(&self) -> Duration {
//!         Duration::from_millis(1250)
//!     }
//! }
//! struct Line;
//! impl Interrupt for Line {
//!     fn raise(&self) {}
//! }
//! let mut rtc = Pl031::new(Box::new(Still), Box::new(Line));
//! rtc.write(0x04, &3u32.to_le_bytes()); // MR: the alarm, at second 3
//! rtc.write(0x10, &1u32.to_le_bytes()); // IMSC: let it through
//! assert_eq!(rtc.next_event(), Some(Duration::from_millis(1750)));
//! ```

#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::clock::{Clock, RealTimeClock, SECONDS_LIMIT, unix_seconds, until};
use super::primecell::{Identification, read_words, write_words};
use crate::{Device, Interrupt, Outcome, Registers, RestoreError};

const DR: u64 = 0x00;
const MR: u64 = 0x04;
const LR: u64 = 0x08;
const CR: u64 = 0x0c;
const IMSC: u64 = 0x10;
const RIS: u64 = 0x14;
const MIS: u64 = 0x18;
const ICR: u64 = 0x1c;
/// The one bit that CR and the interrupt registers have.
const BIT: u32 = 1 << 0;

/// Part 0x031, first revision (§3.3.9).
const IDENTIFICATION: Identification = Identification::of_arm_part(0x031, 0);

/// The clock.
pub struct Pl031 {
    state: Pl031State,
    clock: Box<dyn Clock>,
    irq: Box<dyn Interrupt>,
}

/// What a snapshot holds. The time itself is not in it: after a restore the clock shows the time of that moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pl031State {
    alarm: u32,
    load: u32,
    interrupt_enabled: bool,
    interrupt: bool,
    /// Seconds that the guest's clock is ahead of the host's.
    offset: i64,
    /// The guest's time up to which the interrupt is right.
    last_update: i64,
}

impl Pl031State {
    /// The state after power-on at this time, of a clock that is so much ahead of the host's.
    fn at(last_update: i64, offset: i64) -> Self {
        let (alarm, load) = (0, 0);
        Self { alarm, load, interrupt_enabled: false, interrupt: false, offset, last_update }
    }

    fn interrupt_pending(&self) -> bool {
        self.interrupt && self.interrupt_enabled
    }

    /// The first second after `time` that matches. The counter comes round every 2³² seconds.
    fn next_match(&self, time: i64) -> i64 {
        let next = time + 1;
        next + i64::from(self.alarm.wrapping_sub(next as u32))
    }
}

impl Pl031 {
    /// A clock that shows `clock`'s time, in UTC.
    pub fn new(clock: Box<dyn Clock>, irq: Box<dyn Interrupt>) -> Self {
        let state = Pl031State::at(unix_seconds(&*clock), 0);
        Self { state, clock, irq }
    }

    /// The time that the guest's clock shows, of which the counter is the lower half.
    fn now(&self) -> i64 {
        unix_seconds(&*self.clock) + self.state.offset
    }

    /// Runs a change, and interrupts if that brings the interrupt line up.
    fn with_edge(&mut self, change: impl FnOnce(&mut Pl031State)) {
        let before = self.state.interrupt_pending();
        change(&mut self.state);
        if self.state.interrupt_pending() && !before {
            self.irq.raise();
        }
    }

    fn read_register(&mut self, register: u64) -> u32 {
        self.tick();
        match register {
            DR => self.now() as u32,
            MR => self.state.alarm,
            LR => self.state.load,
            CR => BIT,
            IMSC => self.state.interrupt_enabled.into(),
            RIS => self.state.interrupt.into(),
            MIS => self.state.interrupt_pending().into(),
            _ => IDENTIFICATION.read(register),
        }
    }

    fn write_register(&mut self, register: u64, value: u32) {
        self.tick();
        match register {
            MR => self.compare(|state| state.alarm = value),
            LR => {
                let host = unix_seconds(&*self.clock);
                self.compare(|state| {
                    state.load = value;
                    state.offset = i64::from(value) - host;
                    state.last_update = value.into();
                });
            }
            IMSC => self.with_edge(|state| state.interrupt_enabled = value & BIT != 0),
            ICR if value & BIT != 0 => self.state.interrupt = false,
            // CR has its only value, and the others are read-only.
            _ => {}
        }
    }

    /// Runs a change of the time or the alarm, and compares them then: they may already be the same.
    fn compare(&mut self, change: impl FnOnce(&mut Pl031State)) {
        self.with_edge(|state| {
            change(state);
            state.interrupt |= state.alarm == state.last_update as u32;
        });
    }
}

impl RealTimeClock for Pl031 {
    fn tick(&mut self) {
        let now = self.now();
        self.with_edge(|state| {
            let last = std::mem::replace(&mut state.last_update, now);
            state.interrupt |= state.next_match(last) <= now;
        });
    }

    fn next_event(&self) -> Option<Duration> {
        let state = &self.state;
        if state.interrupt || !state.interrupt_enabled {
            return None;
        }
        let now = self.now();
        let next = state.next_match(now.min(state.last_update));
        Some(until(&*self.clock, now, next))
    }
}

impl Registers for Pl031 {
    fn read(&mut self, offset: u64, data: &mut [u8]) {
        read_words(offset, data, |register| self.read_register(register));
    }

    fn write(&mut self, offset: u64, data: &[u8]) -> Outcome {
        write_words(offset, data, |register, value| self.write_register(register, value))
    }
}

impl Device for Pl031 {
    type State = Pl031State;

    /// A reset takes away the alarm and the interrupt. The time has a battery.
    fn reset(&mut self) {
        self.state = Pl031State::at(self.now(), self.state.offset);
    }

    fn save(&self) -> Pl031State {
        self.state.clone()
    }

    fn restore(&mut self, state: &Pl031State) -> Result<(), RestoreError> {
        let limit = 2 * SECONDS_LIMIT;
        for (field, value) in [("offset", state.offset), ("last_update", state.last_update)] {
            if value.unsigned_abs() > limit.unsigned_abs() {
                let expected = format!("at most {limit} either way");
                return Err(RestoreError::new("pl031", field, value, expected));
            }
        }
        self.state = state.clone();
        Ok(())
    }
}
