//! The clock: MC146818 at ports 0x70 and 0x71.

use super::cpu::{in_byte, out_byte};
use crate::kernel::report::{Fault, Line, put};

const INDEX: u16 = 0x70;
const DATA: u16 = 0x71;
const STATUS_A: u8 = 0x0a;
const STATUS_B: u8 = 0x0b;
const STATUS_D: u8 = 0x0d;
const CENTURY: u8 = 0x32;
/// A byte of the memory that nobody gives a meaning.
const MEMORY: u8 = 0x70;

const UPDATE_IN_PROGRESS: u8 = 1 << 7;
const BINARY: u8 = 1 << 2;
const HOURS_24: u8 = 1 << 1;
const VALID: u8 = 1 << 7;

fn get(register: u8) -> u8 {
    out_byte(INDEX, register);
    in_byte(DATA)
}

/// The date is possible and not before this program was written; the memory keeps a byte.
pub fn check(line: &mut Line) -> Result<(), Fault> {
    let quiet = (0..10_000).any(|_| get(STATUS_A) & UPDATE_IN_PROGRESS == 0);
    if !quiet {
        return Err("the update never ends");
    }
    let registers = [CENTURY, 9, 8, 7, 4, 2, 0].map(get);
    let format = get(STATUS_B);
    if format & HOURS_24 == 0 {
        return Err("a clock of 12 hours");
    }
    let binary = format & BINARY != 0;
    let bad_digits = |byte: u8| byte >> 4 > 9 || byte & 0xf > 9;
    if !binary && registers.into_iter().any(bad_digits) {
        return Err("a digit above 9");
    }
    let [century, year, month, day, hour, minute, second] = registers
        .map(|byte| u32::from(if binary { byte } else { (byte >> 4) * 10 + (byte & 0xf) }));
    let year = century * 100 + year;
    put!(line, "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC");
    if !(2024..2100).contains(&year)
        || !(1..=12).contains(&month)
        || !(1..=31).contains(&day)
        || hour > 23
        || minute > 59
        || second > 59
    {
        return Err("no date of our days");
    }
    if get(STATUS_D) & VALID == 0 {
        return Err("the battery is empty");
    }
    out_byte(INDEX, MEMORY);
    out_byte(DATA, 0x5a);
    if get(MEMORY) != 0x5a {
        return Err("the memory does not keep a byte");
    }
    Ok(())
}
