//! MC146818 real-time clock with its CMOS memory, as in every PC since 1984.
//!
//! The guest writes a register's number to the index port and reads or writes it at the data port. The time is never
//! stored: it is the host's clock plus an offset, which is zero until the guest sets the clock.
//!
//! | register | what |
//! |---|---|
//! | 0x00, 0x02, 0x04 | second, minute, hour |
//! | 0x01, 0x03, 0x05 | the same of the alarm |
//! | 0x06 to 0x09, 0x32 | day of the week, day, month, year, century |
//! | 0x0a | A: update in progress, divider, rate |
//! | 0x0b | B: formats, interrupt enables, SET (the time stands still to be written) |
//! | 0x0c | C: what happened since it was last read |
//! | 0x0d | D: the battery is good |
//! | the rest | memory |
//!
//! Left out: the periodic interrupt and the square wave (a guest with a local APIC has better timers), and the effects of the divider's
//! test modes.

mod alarm;
mod calendar;
mod state;
#[cfg(test)]
mod tests;

use std::time::Duration;

use super::clock::{Clock, RealTimeClock, unix_seconds, until};
use super::{read_bytes, write_bytes};
use crate::{Device, Interrupt, Outcome, Registers, RestoreError};
use alarm::Alarm;
use calendar::{DateTime, Format, day_of_week};
pub use state::RtcState;

/// CMOS bytes that the index reaches.
const CMOS_LEN: usize = 128;
/// Number of the century register: what the FADT's CENTURY field must say.
pub const CENTURY: u8 = 0x32;

const INDEX_PORT: u64 = 0;
const DATA_PORT: u64 = 1;
/// The index port's top bit masks the processor's NMI, of which there is none.
const INDEX: u8 = 0x7f;

const SECOND: u8 = 0x00;
const SECOND_ALARM: u8 = 0x01;
const MINUTE: u8 = 0x02;
const MINUTE_ALARM: u8 = 0x03;
const HOUR: u8 = 0x04;
const HOUR_ALARM: u8 = 0x05;
const DAY_OF_WEEK: u8 = 0x06;
const DAY: u8 = 0x07;
const MONTH: u8 = 0x08;
const YEAR: u8 = 0x09;
const REG_A: u8 = 0x0a;
const REG_B: u8 = 0x0b;
const REG_C: u8 = 0x0c;
const REG_D: u8 = 0x0d;
/// The registers that together are the time.
const TIME: [u8; 8] = [SECOND, MINUTE, HOUR, DAY_OF_WEEK, DAY, MONTH, YEAR, CENTURY];

/// Register A: an update is at most 244 microseconds away.
const REG_A_UPDATE_IN_PROGRESS: u8 = 1 << 7;
/// How long before an update that bit is set (MC146818A datasheet, "update cycle"). The update itself takes no time here.
const UPDATE_WARNING: Duration = Duration::from_micros(244);
/// Register B: the time stands still.
const REG_B_SET: u8 = 1 << 7;
/// Register B: interrupt when the alarm matches. The flags of register C have the same places.
const REG_B_ALARM: u8 = 1 << 5;
/// Register B: interrupt at every update.
const REG_B_UPDATE: u8 = 1 << 4;
/// Register B: numbers are binary, not BCD.
const REG_B_BINARY: u8 = 1 << 2;
/// Register B: hours go from 0 to 23.
const REG_B_24_HOUR: u8 = 1 << 1;
/// Register C: one of the flags is set and enabled.
const REG_C_INTERRUPT: u8 = 1 << 7;
/// Register D: time and memory are valid.
const REG_D_VALID: u8 = 1 << 7;

const NANOS_PER_SECOND: u32 = 1_000_000_000;

/// The clock.
pub struct Rtc {
    state: RtcState,
    clock: Box<dyn Clock>,
    irq: Box<dyn Interrupt>,
}

impl Rtc {
    /// A clock that shows `clock`'s time, in UTC.
    pub fn new(clock: Box<dyn Clock>, irq: Box<dyn Interrupt>) -> Self {
        let state = RtcState::at(unix_seconds(&*clock));
        Self { state, clock, irq }
    }

    /// The time that the guest's clock shows.
    fn now(&self) -> i64 {
        match self.state.held {
            Some(_) => self.state.last_update,
            None => unix_seconds(&*self.clock) + self.state.offset,
        }
    }

    fn alarm(&self) -> Alarm {
        let alarm = |register: u8| self.state.cmos[usize::from(register)];
        let format = Format::of(self.state.register_b);
        Alarm::from_registers(alarm(HOUR_ALARM), alarm(MINUTE_ALARM), alarm(SECOND_ALARM), format)
    }

    /// Runs a change of flags or enables, and interrupts if that brings the chip's interrupt line up.
    fn with_edge(&mut self, change: impl FnOnce(&mut RtcState)) {
        let before = self.state.interrupt_pending();
        change(&mut self.state);
        if self.state.interrupt_pending() && !before {
            self.irq.raise();
        }
    }

    fn read_data(&mut self) -> u8 {
        self.tick();
        let index = self.state.index;
        match index {
            REG_A => self.state.register_a | self.update_in_progress(),
            REG_B => self.state.register_b,
            REG_C => {
                let line = if self.state.interrupt_pending() { REG_C_INTERRUPT } else { 0 };
                line | std::mem::take(&mut self.state.flags)
            }
            REG_D => REG_D_VALID,
            _ => match TIME.iter().position(|register| *register == index) {
                Some(place) => self.time_registers()[place],
                None => self.state.cmos[usize::from(index)],
            },
        }
    }

    fn write_data(&mut self, value: u8) {
        self.tick();
        let index = self.state.index;
        match index {
            REG_A => self.state.register_a = value & !REG_A_UPDATE_IN_PROGRESS,
            REG_B => self.write_b(value),
            REG_C | REG_D => {}
            _ => match TIME.iter().position(|register| *register == index) {
                Some(place) => {
                    let mut registers = self.time_registers();
                    registers[place] = value;
                    self.set_time_registers(registers);
                }
                None => self.state.cmos[usize::from(index)] = value,
            },
        }
    }

    fn update_in_progress(&self) -> u8 {
        let left = NANOS_PER_SECOND - self.clock.since_epoch().subsec_nanos();
        let near = u128::from(left) <= UPDATE_WARNING.as_nanos();
        if near && !self.state.is_set_mode() { REG_A_UPDATE_IN_PROGRESS } else { 0 }
    }

    /// Register B switches between the running clock and one that is held for writing.
    fn write_b(&mut self, value: u8) {
        let hold = value & REG_B_SET != 0;
        if hold && self.state.held.is_none() {
            self.state.held = Some(self.time_registers());
        }
        // A held time is read in the format that the guest leaves behind.
        let enables = if hold { value & !REG_B_UPDATE } else { value };
        self.with_edge(|state| state.register_b = enables);
        if !hold && let Some(held) = self.state.held.take() {
            self.set_time_registers(held);
        }
    }

    /// The bytes of [`TIME`].
    fn time_registers(&self) -> [u8; TIME.len()] {
        if let Some(held) = self.state.held {
            return held;
        }
        let now = self.now();
        let format = Format::of(self.state.register_b);
        let date = DateTime::from_unix(now);
        [
            format.encode(date.second),
            format.encode(date.minute),
            format.encode_hour(date.hour),
            format.encode(day_of_week(now).into()),
            format.encode(date.day),
            format.encode(date.month),
            format.encode(date.year),
            format.encode(date.year.div_euclid(100)),
        ]
    }

    /// Sets the clock to what the bytes of [`TIME`] say; the day of the week follows from the date.
    fn set_time_registers(&mut self, registers: [u8; TIME.len()]) {
        if self.state.held.is_some() {
            self.state.held = Some(registers);
            return;
        }
        let format = Format::of(self.state.register_b);
        let [second, minute, hour, _, day, month, year, century] = registers;
        let date = DateTime {
            year: format.decode(century) * 100 + format.decode(year),
            month: format.decode(month),
            day: format.decode(day),
            hour: format.decode_hour(hour),
            minute: format.decode(minute),
            second: format.decode(second),
        };
        let time = date.to_unix();
        self.state.offset = time - unix_seconds(&*self.clock);
        self.state.last_update = time;
    }
}

impl RealTimeClock for Rtc {
    /// Sets the flags of register C, and interrupts if they are enabled.
    fn tick(&mut self) {
        if self.state.is_set_mode() {
            return;
        }
        let now = self.now();
        let last = std::mem::replace(&mut self.state.last_update, now);
        if now > last {
            let mut flags = REG_B_UPDATE;
            if self.alarm().next_after(last).is_some_and(|match_| match_ <= now) {
                flags |= REG_B_ALARM;
            }
            self.with_edge(|state| state.flags |= flags);
        }
    }

    fn next_event(&self) -> Option<Duration> {
        let state = &self.state;
        if state.is_set_mode() || state.interrupt_pending() {
            return None;
        }
        let now = self.now();
        let update = (state.register_b & REG_B_UPDATE != 0).then_some(now + 1);
        let alarm = (state.register_b & REG_B_ALARM != 0)
            .then(|| self.alarm().next_after(now.min(state.last_update)))
            .flatten();
        let next = [update, alarm].into_iter().flatten().min()?;
        Some(until(&*self.clock, now, next))
    }
}

impl Registers for Rtc {
    fn read(&mut self, offset: u64, data: &mut [u8]) {
        read_bytes(offset, data, |port| match port {
            DATA_PORT => self.read_data(),
            // The index port is write-only.
            _ => 0xff,
        });
    }

    fn write(&mut self, offset: u64, data: &[u8]) -> Outcome {
        write_bytes(offset, data, |port, value| {
            match port {
                INDEX_PORT => self.state.index = value & INDEX,
                DATA_PORT => self.write_data(value),
                _ => {}
            }
            Outcome::Continue
        })
    }
}

impl Device for Rtc {
    type State = RtcState;

    /// A reset takes away the interrupts and the flags. Time and memory have a battery.
    fn reset(&mut self) {
        if let Some(held) = self.state.held.take() {
            self.set_time_registers(held);
        }
        self.state.index = 0;
        self.state.flags = 0;
        self.state.register_b &= !(REG_B_SET | state::REG_B_ENABLES);
    }

    fn save(&self) -> RtcState {
        self.state.clone()
    }

    fn restore(&mut self, state: &RtcState) -> Result<(), RestoreError> {
        state.check()?;
        self.state = state.clone();
        Ok(())
    }
}
