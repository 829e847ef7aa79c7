//! The daily alarm: three bytes, each a number or "any".

use super::calendar::{DAY, Format};

/// Both top bits set: any hour, minute or second will do (MC146818A datasheet, "alarm don't care").
const ANY: u8 = 0xc0;

/// Hour, minute and second to match; `None` matches any. A number that no clock shows never matches.
#[derive(Clone, Copy, Debug)]
pub(super) struct Alarm {
    pub hour: Option<i64>,
    pub minute: Option<i64>,
    pub second: Option<i64>,
}

impl Alarm {
    pub(super) fn from_registers(hour: u8, minute: u8, second: u8, format: Format) -> Self {
        let specific = |byte: u8| byte & ANY != ANY;
        Self {
            hour: specific(hour).then(|| format.decode_hour(hour)),
            minute: specific(minute).then(|| format.decode(minute)),
            second: specific(second).then(|| format.decode(second)),
        }
    }

    /// The first match after `unix_seconds`.
    pub(super) fn next_after(self, unix_seconds: i64) -> Option<i64> {
        let possible = |field: Option<i64>, end| field.is_none_or(|n| (0..end).contains(&n));
        if !possible(self.hour, 24) || !possible(self.minute, 60) || !possible(self.second, 60) {
            return None;
        }
        let mut time = unix_seconds + 1;
        // Each step leaves out a whole hour, minute or second that can't match, so there are at most 25 + 60 + 60.
        loop {
            let of_day = time.rem_euclid(DAY);
            let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
            if self.hour.is_some_and(|n| n != hour) {
                time += 3600 - of_day % 3600;
            } else if self.minute.is_some_and(|n| n != minute) {
                time += 60 - second;
            } else if self.second.is_some_and(|n| n != second) {
                time += 1;
            } else {
                return Some(time);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn field(end: i64) -> impl Strategy<Value = Option<i64>> {
        prop::option::of(0..end)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn agrees_with_looking_at_every_second(
            hour in field(24), minute in field(60), second in field(60), start in -200_000i64..2_000_000,
        ) {
            let matches = |t: &i64| {
                let t = t.rem_euclid(DAY);
                hour.is_none_or(|h| h == t / 3600)
                    && minute.is_none_or(|m| m == t / 60 % 60)
                    && second.is_none_or(|s| s == t % 60)
            };
            let want = (start + 1..=start + DAY).find(matches);
            prop_assert_eq!(Alarm { hour, minute, second }.next_after(start), want);
        }
    }

    #[test]
    fn impossible_times_never_match() {
        let format = Format::of(super::super::REG_B_24_HOUR);
        for (hour, minute, second) in [(0x24, 0, 0), (0, 0x60, 0), (0, 0, 0x99)] {
            assert_eq!(Alarm::from_registers(hour, minute, second, format).next_after(0), None);
        }
    }
}
