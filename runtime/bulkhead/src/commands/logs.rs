//! `logs`: what a container has said.

use std::io::{self, Write};
use std::thread;
use std::time::Duration;

use clap::Args;

use crate::egress::dropped_lines;
use crate::error::CommandError;
use crate::output::print;
use containers::container::log::{Entry, From, Reader, Stream};
use containers::container::{Container, ContainerError, Containers, now};
use containers::supervisor::interfaces;
use host::time;

/// Between two looks for more.
const INTERVAL: Duration = Duration::from_millis(100);

/// How long its supervisor may take to say what was not let through.
const PATIENCE: Duration = Duration::from_secs(10);

/// Show what a container has said
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bulkhead logs -f web\n  bulkhead logs --tail 20 -t --since 10m web\n  bulkhead logs --egress web"
)]
pub struct LogsArguments {
    /// Go on until the container ends
    #[arg(long, short)]
    pub follow: bool,
    /// Only the last N lines; anything but a number is all
    #[arg(long, short = 'n', value_name = "N", default_value = "all")]
    pub tail: String,
    /// Only what was said since then: 2026-11-24T12:00:00Z or the start of it, 1h30m ago, or seconds since 1970
    #[arg(long, value_name = "TIME", value_parser = parse_since)]
    pub since: Option<u64>,
    /// Only what was said until then, likewise
    #[arg(long, value_name = "TIME", value_parser = parse_since)]
    pub until: Option<u64>,
    /// Instead show what its --egress rules did not let through: a line for each of the last destinations and names
    #[arg(long)]
    pub egress: bool,
    /// Show when each line was said
    #[arg(long, short)]
    pub timestamps: bool,
    /// Its name or ID
    #[arg(value_name = "CONTAINER")]
    pub container: String,
}

impl LogsArguments {
    /// Whether they choose among what was said.
    fn is_about_words(&self) -> bool {
        let LogsArguments { follow, timestamps, tail, since, until, .. } = self;
        *follow || *timestamps || tail != "all" || since.or(*until).is_some()
    }
}

/// Prints what the container has said, where it was said.
pub fn execute(arguments: &LogsArguments) -> Result<u8, CommandError> {
    let container = &Containers::open_default()?.find(&arguments.container)?;
    if arguments.egress {
        if arguments.is_about_words() {
            let message = "logs --egress shows a table: leave the other flags out";
            return Err(CommandError::Usage(message.to_owned()));
        }
        let told = interfaces(container, PATIENCE)?;
        let untold = || CommandError::Untold(container.config().name.clone());
        print(&dropped_lines(&told.ok_or_else(untold)?))?;
        return Ok(0);
    }
    let path = container.log_path();
    let failed = |source| CommandError::ReadFile { path: path.clone(), source };
    let mut reader = Reader::open(&path, tail(&arguments.tail)).map_err(failed)?;
    loop {
        // Before the look: what is said until then is found.
        let is_past = arguments.until.is_some_and(|until| until < now());
        let ended = !arguments.follow || is_past || has_ended(container)?;
        while let Some(entry) = reader.entry().map_err(failed)? {
            match show(&entry, arguments) {
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(0),
                result => result.map_err(CommandError::Output)?,
            }
        }
        if ended {
            return Ok(0);
        }
        thread::sleep(INTERVAL);
    }
}

/// One that was removed has ended too.
fn has_ended(container: &Container) -> Result<bool, CommandError> {
    match container.state() {
        Ok(state) => Ok(!state.status.is_live()),
        Err(ContainerError::NotFound(_)) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

fn show(entry: &Entry, arguments: &LogsArguments) -> io::Result<()> {
    let at = time::parse_nanoseconds(&entry.time);
    let is_old = |since| at.is_some_and(|at| at < since);
    let is_new = |until| at.is_some_and(|at| at > until);
    if arguments.since.is_some_and(is_old) || arguments.until.is_some_and(is_new) {
        return Ok(());
    }
    let mut text = entry.log.clone();
    if arguments.timestamps {
        // With nine digits behind the point, whatever the file has: the lines stay below each other.
        let time = at.map_or_else(|| entry.time.clone(), time::show);
        text = format!("{time} {text}");
    }
    match entry.stream {
        Stream::Stdout => io::stdout().lock().write_all(text.as_bytes()),
        Stream::Stderr => io::stderr().lock().write_all(text.as_bytes()),
    }
}

/// As docker's reference has it, what is no number from 0 on is all.
fn tail(text: &str) -> From {
    text.parse().map_or(From::Start, From::Tail)
}

/// In nanoseconds since 1970.
fn parse_since(text: &str) -> Result<u64, String> {
    let date = || time::complete(text).and_then(|whole| time::parse_nanoseconds(&whole));
    date().or_else(|| parse_ago(text)).or_else(|| parse_seconds(text)).ok_or_else(|| {
        let text = text.escape_debug();
        format!(
            "'{text}' is no time: give one as in 2026-11-24T12:00:00Z, or 30s, 10m, 1h30m ago, or seconds since 1970"
        )
    })
}

/// `1764000000.25`, as `date +%s.%N` prints it: digits behind the point are of nanoseconds.
fn parse_seconds(text: &str) -> Option<u64> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let are_digits =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !are_digits(seconds) || !are_digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let nanoseconds: u64 = format!("{fraction:0<9}").parse().ok()?;
    seconds.parse::<u64>().ok()?.checked_mul(1_000_000_000)?.checked_add(nanoseconds)
}

/// So long ago, or with `-` from now on.
fn parse_ago(text: &str) -> Option<u64> {
    let is_to_come = text.starts_with('-');
    let length = parse_duration(text.strip_prefix(['-', '+']).unwrap_or(text))?;
    let length = length.as_nanos().try_into().unwrap_or(u64::MAX);
    Some(if is_to_come { now().saturating_add(length) } else { now().saturating_sub(length) })
}

/// `1h30m`, `1.5h`, as Go's `time.ParseDuration` takes it.
fn parse_duration(text: &str) -> Option<Duration> {
    let is_digit = |letter: char| letter.is_ascii_digit() || letter == '.';
    let (mut sum, mut rest) = (None, text);
    while !rest.is_empty() {
        let (number, behind) = rest.split_at(rest.find(|letter| !is_digit(letter))?);
        let (unit, behind) = behind.split_at(behind.find(is_digit).unwrap_or(behind.len()));
        let seconds = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            // U+00B5 and U+03BC.
            "us" | "\u{b5}s" | "\u{3bc}s" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        let part = Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()?;
        sum = Some(sum.unwrap_or(Duration::ZERO).checked_add(part)?);
        rest = behind;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_dockers() {
        for (text, from) in [
            ("all", From::Start),
            ("5", From::Tail(5)),
            ("0", From::Tail(0)),
            ("-1", From::Start),
            ("x", From::Start),
        ] {
            assert_eq!(tail(text), from, "{text}");
        }
        assert_eq!(parse_since("1970-01-01T00:01:00.5Z"), Ok(60_500_000_000));
        assert_eq!(parse_since("60.5"), Ok(60_500_000_000));
        assert_eq!(parse_since("1764000000.000000001"), Ok(1_764_000_000_000_000_001));
        assert_eq!(parse_since("1970-01-02"), Ok(86_400_000_000_000));
        assert_eq!(parse_since("1970-01-01T01"), Ok(3_600_000_000_000));
        assert_eq!(parse_since("1970-01-01T00:01"), Ok(60_000_000_000));
        assert_eq!(parse_since("1970-01-01T01:00:00+01:00"), Ok(0));
        assert!(parse_since("-1h").unwrap() > now());
        let since = parse_since("10m").unwrap();
        let ago = now() - since;
        assert!((600_000_000_000..601_000_000_000).contains(&ago), "{ago}");
        assert_eq!(parse_since("99999999h"), Ok(0));
        for (text, milliseconds) in
            [("1h30m", 5_400_000), ("1.5h", 5_400_000), ("20ms", 20), ("5000us", 5)]
        {
            assert_eq!(parse_duration(text), Some(Duration::from_millis(milliseconds)));
        }
        for wrong in
            ["", "m", "1e3", "10d", "--1h", "1h30", "1.1234567890", "1..5h", "tomorrow", "é"]
        {
            assert!(parse_since(wrong).unwrap_err().contains("is no time"), "{wrong}");
        }
    }
}
