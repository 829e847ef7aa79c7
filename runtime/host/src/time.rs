//! Points in time, as images, logs and people write them.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970 of a time as RFC 3339 writes it, `2024-02-29T12:00:00.5+01:00`.
pub fn parse(text: &str) -> Option<i64> {
    let number = |range: std::ops::Range<usize>| {
        let digits = text.get(range)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<i64>().ok())?
    };
    let marks = [(4, "-"), (7, "-"), (10, "Tt "), (13, ":"), (16, ":")];
    if !marks
        .iter()
        .all(|&(at, wanted)| text.get(at..=at).is_some_and(|mark| wanted.contains(mark)))
    {
        return None;
    }
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    let in_range = (1..=12).contains(&month) && (1..=31).contains(&day);
    if !in_range || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let zone =
        text.get(19..)?.trim_start_matches(|letter: char| letter == '.' || letter.is_ascii_digit());
    let start = text.len() - zone.len();
    let offset = match zone.get(..1)? {
        "Z" | "z" if zone.len() == 1 => 0,
        sign @ ("+" | "-") if zone.len() == 6 && zone.get(3..4) == Some(":") => {
            let seconds = number(start + 1..start + 3)? * 3600 + number(start + 4..start + 6)? * 60;
            if sign == "+" { seconds } else { -seconds }
        }
        _ => return None,
    };
    Some(days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset)
}

/// Nanoseconds since 1970 of such a time, or 0 for one before.
pub fn parse_nanoseconds(text: &str) -> Option<u64> {
    let seconds = u64::try_from(parse(text)?).unwrap_or(0);
    let fraction = text.get(19..)?.strip_prefix('.').unwrap_or_default();
    let digits = fraction.bytes().take_while(u8::is_ascii_digit).chain(std::iter::repeat(b'0'));
    let nanoseconds = digits.take(9).fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    seconds.checked_mul(1_000_000_000)?.checked_add(nanoseconds)
}

/// Days from 1970-01-01 in the Gregorian calendar: years count from March on, so that a leap day comes last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + day_of_year - 719_468
}

/// A time in nanoseconds since 1970, as RFC 3339 writes it: `2024-02-29T12:00:00.123456789Z`.
pub fn show(nanoseconds: u64) -> String {
    const SECOND: u64 = 1_000_000_000;
    let (seconds, nanoseconds) = (nanoseconds / SECOND, nanoseconds % SECOND);
    let (day, second) = (seconds / 86400, seconds % 86400);
    let (year, month, day) = date(day as i64);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanoseconds:09}Z")
}

/// Docker's word for a time that has not come.
pub const NEVER: &str = "0001-01-01T00:00:00Z";

/// A time in seconds since 1970 as docker's lists have it (Go's `time.Time.String`): `2024-02-29 12:00:00 +0000 UTC`.
pub fn show_in_list(seconds: i64) -> String {
    let (day, second) = (seconds.div_euclid(86400), seconds.rem_euclid(86400));
    let (year, month, day) = date(day);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} +0000 UTC")
}

/// Such a time as people shorten it for docker (moby `timestamp.GetTimestamp`), whole: `2024-02-29`, `2024-02-29T12`,
/// `2024-02-29T12:00`, each with or without a zone. Without one it is UTC's.
pub fn complete(text: &str) -> Option<String> {
    let (date, rest) = text.split_at_checked(10)?;
    let begins = rest.find(['Z', 'z', '+', '-']).unwrap_or(rest.len());
    let (time, zone) = rest.split_at(begins);
    let zone = if zone.is_empty() { "Z" } else { zone };
    let time = match time.len() {
        0 => "T00:00:00".to_owned(),
        3 => format!("{time}:00:00"),
        6 => format!("{time}:00"),
        _ => time.to_owned(),
    };
    let whole = format!("{date}{time}{zone}");
    parse(&whole).map(|_| whole)
}

/// The year, month and day of a day since 1970-01-01: the reverse of `days`.
fn date(day: i64) -> (i64, i64, i64) {
    // 400 years have 146,097 days.
    let day = day + 719_468;
    let (era, day) = (day.div_euclid(146_097), day.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + i64::from(month <= 2), month, day)
}

/// Seconds since 1970 now.
pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}

/// How long ago something was, as docker says it; `N/A` when nobody knows.
pub fn ago(then: Option<i64>, now: i64) -> String {
    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    let Some(then) = then else { return "N/A".to_owned() };
    let seconds = now.saturating_sub(then).max(0);
    let duration = match seconds {
        0 => "Less than a second".to_owned(),
        1 => "1 second".to_owned(),
        _ if seconds < MINUTE => format!("{seconds} seconds"),
        _ if seconds < 2 * MINUTE => "About a minute".to_owned(),
        _ if seconds < HOUR => format!("{} minutes", seconds / MINUTE),
        _ if seconds < 2 * HOUR => "About an hour".to_owned(),
        _ if seconds < 2 * DAY => format!("{} hours", seconds / HOUR),
        _ if seconds < 14 * DAY => format!("{} days", seconds / DAY),
        _ if seconds < 60 * DAY => format!("{} weeks", seconds / (7 * DAY)),
        _ if seconds < 730 * DAY => format!("{} months", seconds / (30 * DAY)),
        _ => format!("{} years", seconds / (365 * DAY)),
    };
    format!("{duration} ago")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_are_read() {
        // As `date -u -d TEXT +%s` says.
        let cases = [
            ("1970-01-01T00:00:00Z", 0),
            ("2024-02-29T12:00:00.123456789Z", 1_709_208_000),
            ("2000-03-01T00:00:00+01:00", 951_865_200),
            ("1969-12-31T23:59:59-00:30", 1799),
            ("0001-01-01T00:00:00Z", -62_135_596_800),
        ];
        for (text, seconds) in cases {
            assert_eq!(parse(text), Some(seconds), "{text}");
        }
        assert_eq!(parse_nanoseconds("1970-01-01T00:00:01.5Z"), Some(1_500_000_000));
        assert_eq!(parse_nanoseconds("1970-01-01T01:00:01+01:00"), Some(1_000_000_000));
        assert_eq!(
            parse_nanoseconds("1960-01-01T00:00:00.9Z").map(|time| time < 1_000_000_000),
            Some(true)
        );
        for wrong in
            ["", "2024", "2024-13-01T00:00:00Z", "2024-01-01T00:00:00", "2024-01-01T00:00:00Zé"]
        {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn shortened_times_are_completed() {
        for (text, whole) in [
            ("2024-02-29", "2024-02-29T00:00:00Z"),
            ("2024-02-29Z", "2024-02-29T00:00:00Z"),
            ("2024-02-29T12", "2024-02-29T12:00:00Z"),
            ("2024-02-29T12:30", "2024-02-29T12:30:00Z"),
            ("2024-02-29T12:30+01:00", "2024-02-29T12:30:00+01:00"),
            ("2024-02-29T12:30:01.5", "2024-02-29T12:30:01.5Z"),
            ("2024-02-29T12:30:01-07:00", "2024-02-29T12:30:01-07:00"),
        ] {
            assert_eq!(complete(text).as_deref(), Some(whole), "{text}");
        }
        for wrong in [
            "",
            "2024",
            "2024-02-29T",
            "2024-02-29T1",
            "2024-13-29",
            "10m",
            "1700000000",
            "éééééééé",
        ] {
            assert_eq!(complete(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn durations_are_words() {
        let cases = [
            (0, "Less than a second ago"),
            (59, "59 seconds ago"),
            (90, "About a minute ago"),
            (7199, "About an hour ago"),
            (100_000, "27 hours ago"),
            (1_000_000, "11 days ago"),
            (4_000_000, "6 weeks ago"),
            (40_000_000, "15 months ago"),
            (70_000_000, "2 years ago"),
        ];
        for (seconds, words) in cases {
            assert_eq!(ago(Some(0), seconds), words);
        }
        assert_eq!(
            (ago(None, 0), ago(Some(5), 0)),
            ("N/A".into(), "Less than a second ago".into())
        );
    }

    #[test]
    fn times_are_shown() {
        assert_eq!(show(0), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(show_in_list(1_709_208_000), "2024-02-29 12:00:00 +0000 UTC");
        assert_eq!(show_in_list(-1), "1969-12-31 23:59:59 +0000 UTC");
        assert_eq!(show(1_709_208_000_123_456_789), "2024-02-29T12:00:00.123456789Z");
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read(nanoseconds: u64) {
            prop_assert_eq!(parse(&show(nanoseconds)), Some((nanoseconds / 1_000_000_000) as i64));
            prop_assert_eq!(parse_nanoseconds(&show(nanoseconds)), Some(nanoseconds));
        }

        #[test]
        fn any_text_is_a_time_or_none(text in "[-0-9TZ:.+é ]{0,30}", then: i64, now: i64) {
            let _ = (parse(&text), parse_nanoseconds(&text), complete(&text), ago(Some(then), now));
        }
    }
}
