//! Dates of the Gregorian calendar, and how the clock's registers spell them.

use super::{REG_B_24_HOUR, REG_B_BINARY};

/// Seconds of a day.
pub(super) const DAY: i64 = 86_400;
/// In 12-hour mode: the hour is after noon (MC146818A datasheet, "time, calendar, and alarm locations").
const PM: u8 = 0x80;

/// A point in time as the registers give it. Fields that a guest wrote need not make sense: the 0th of month 99 is as many
/// days before or after a real date, as with C's `mktime`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DateTime {
    pub year: i64,
    pub month: i64,
    pub day: i64,
    pub hour: i64,
    pub minute: i64,
    pub second: i64,
}

impl DateTime {
    pub(super) fn from_unix(seconds: i64) -> Self {
        let (year, month, day) = civil_from_days(seconds.div_euclid(DAY));
        let of_day = seconds.rem_euclid(DAY);
        Self {
            year,
            month,
            day,
            hour: of_day / 3600,
            minute: of_day / 60 % 60,
            second: of_day % 60,
        }
    }

    pub(super) fn to_unix(self) -> i64 {
        let days = days_from_civil(self.year, self.month, self.day);
        days * DAY + self.hour * 3600 + self.minute * 60 + self.second
    }
}

/// Day of the week, Sunday is 1. 1970-01-01 was a Thursday.
pub(super) fn day_of_week(unix_seconds: i64) -> u8 {
    ((unix_seconds.div_euclid(DAY) + 4).rem_euclid(7) + 1) as u8
}

/// Days in the 400 years after which the Gregorian calendar repeats.
const DAYS_IN_ERA: i64 = 146_097;
/// Days from 0000-03-01 to 1970-01-01.
const EPOCH: i64 = 719_468;

/// Days since 1970-01-01. A year is taken to begin in March: the leap day is its last, and the lengths of the months before
/// any of them are a straight line, (153 m + 2) / 5.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let months = year * 12 + (month - 1) - 2;
    let (year, month) = (months.div_euclid(12), months.rem_euclid(12));
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_era =
        year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + (153 * month + 2) / 5 + day - 1;
    era * DAYS_IN_ERA + day_of_era - EPOCH
}

/// The inverse: year, month (from 1) and day (from 1).
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + EPOCH;
    let (era, day_of_era) = (days.div_euclid(DAYS_IN_ERA), days.rem_euclid(DAYS_IN_ERA));
    // Take out the leap days that came before, and only 365-day years are left.
    let leap_days = day_of_era / 1460 - day_of_era / 36_524 + day_of_era / (DAYS_IN_ERA - 1);
    let year_of_era = (day_of_era - leap_days) / 365;
    let day_of_year = day_of_era - (year_of_era * 365 + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let year = era * 400 + year_of_era + i64::from(month >= 10);
    (year, (month + 2) % 12 + 1, day)
}

/// How register B says that numbers are spelled.
#[derive(Clone, Copy)]
pub(super) struct Format {
    binary: bool,
    hours_24: bool,
}

impl Format {
    pub(super) fn of(register_b: u8) -> Self {
        Self { binary: register_b & REG_B_BINARY != 0, hours_24: register_b & REG_B_24_HOUR != 0 }
    }

    /// Spells a number from 0 to 99.
    pub(super) fn encode(self, number: i64) -> u8 {
        let number = number.rem_euclid(100) as u8;
        if self.binary { number } else { ((number / 10) << 4) | (number % 10) }
    }

    /// Reads any byte: a BCD digit above 9 counts as what its bits say.
    pub(super) fn decode(self, byte: u8) -> i64 {
        if self.binary { byte.into() } else { i64::from(byte >> 4) * 10 + i64::from(byte & 0x0f) }
    }

    pub(super) fn encode_hour(self, hour: i64) -> u8 {
        if self.hours_24 {
            return self.encode(hour);
        }
        let on_the_dial = if hour % 12 == 0 { 12 } else { hour % 12 };
        self.encode(on_the_dial) | if hour >= 12 { PM } else { 0 }
    }

    pub(super) fn decode_hour(self, byte: u8) -> i64 {
        if self.hours_24 {
            return self.decode(byte);
        }
        self.decode(byte & !PM) % 12 + if byte & PM != 0 { 12 } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Counts day by day from 1970, as the calendar reads in words.
    #[test]
    fn agrees_with_counting_days_one_by_one() {
        let leap = |y: i64| y % 4 == 0 && y % 100 != 0 || y % 400 == 0;
        let mut days = 0;
        for year in 1970..2410 {
            let february = if leap(year) { 29 } else { 28 };
            let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
            for (month, length) in (1..).zip(lengths) {
                for day in 1..=length {
                    assert_eq!(days_from_civil(year, month, day), days);
                    assert_eq!(civil_from_days(days), (year, month, day));
                    days += 1;
                }
            }
        }
    }

    #[test]
    fn known_days_of_the_week() {
        for (unix, day) in [(0, 5), (-1, 4), (951_782_400, 3), (1_795_392_000, 2)] {
            assert_eq!(day_of_week(unix), day, "{unix}");
        }
    }

    proptest! {
        #[test]
        fn dates_round_trip(unix in -1_000_000_000_000i64..1_000_000_000_000) {
            prop_assert_eq!(DateTime::from_unix(unix).to_unix(), unix);
        }

        #[test]
        fn numbers_and_hours_round_trip(register_b in any::<u8>(), number in 0i64..100, hour in 0i64..24) {
            let format = Format::of(register_b);
            prop_assert_eq!(format.decode(format.encode(number)), number);
            prop_assert_eq!(format.decode_hour(format.encode_hour(hour)), hour);
        }
    }

    #[test]
    fn twelve_hour_dial() {
        let bcd = Format { binary: false, hours_24: false };
        for (hour, byte) in [(0, 0x12), (1, 0x01), (11, 0x11), (12, 0x92), (13, 0x81), (23, 0x91)] {
            assert_eq!(bcd.encode_hour(hour), byte);
        }
    }
}
