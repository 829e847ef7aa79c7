//! The clock: PL031 (Arm DDI 0224C).

use super::serial::part;
use crate::kernel::registers::Registers;
use crate::kernel::report::{Fault, Line, put};

pub const PL031: &str = "arm,pl031";
pub const ADDRESS: u64 = 0x0901_0000;
pub const SPI: usize = 2;

// SAFETY: these are its registers, or nothing.
const CLOCK: Registers = unsafe { Registers::at(ADDRESS) };
/// Seconds since the start of 1970.
const DATA: u64 = 0x0;
const CONTROL: u64 = 0xc;
const RUNNING: u32 = 1;

const MONTHS: [u32; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// It runs, and the date is not before this program was written.
pub fn check(line: &mut Line) -> Result<(), Fault> {
    if part(CLOCK) != 0x031 {
        return Err("it does not identify itself as a PL031");
    }
    if CLOCK.read(CONTROL) & RUNNING == 0 {
        return Err("it does not run");
    }
    let seconds = CLOCK.read(DATA);
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let [year, month, day] = date(hours / 24);
    put!(line, "{year:04}-{month:02}-{day:02} ");
    put!(line, "{:02}:{:02}:{:02} UTC", hours % 24, minutes % 60, seconds % 60);
    if (2024..2100).contains(&year) { Ok(()) } else { Err("no date of our days") }
}

/// Year, month and day, by days since the start of 1970. All the years in which a number of 32 bits can end, up to 2106, but the
/// last few have a leap day when they are a multiple of four.
fn date(mut days: u32) -> [u32; 3] {
    let (mut year, mut month) = (1970, 0);
    while days >= 365 + leap_day(year) {
        days -= 365 + leap_day(year);
        year += 1;
    }
    let len = |month: usize| MONTHS[month] + if month == 1 { leap_day(year) } else { 0 };
    while days >= len(month) {
        days -= len(month);
        month += 1;
    }
    [year, month as u32 + 1, days + 1]
}

fn leap_day(year: u32) -> u32 {
    u32::from(year.is_multiple_of(4) && year != 2100)
}
