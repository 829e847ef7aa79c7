//! `logs`.

use std::io::{self, Write};
use std::thread;
use std::time::Duration;

use clap::Args;

use crate::command::error::CommandError;
use crate::container::Container;
use crate::container::log::{Entry, From, Reader, Stream};
use crate::time;

/// Between two looks for more.
const INTERVAL: Duration = Duration::from_millis(100);

#[derive(Debug, Args)]
pub struct LogsArguments {
    /// Go on until the container ends
    #[arg(long, short)]
    pub follow: bool,
    /// Only the last N lines, or all
    #[arg(long, short = 'n', value_name = "N", default_value = "all", value_parser = parse_tail)]
    pub tail: From,
    /// Only what was said since then: 2026-11-24T12:00:00Z, or 10m ago (s, m, h)
    #[arg(long, value_name = "TIME", value_parser = parse_since)]
    pub since: Option<i64>,
    /// Show when each line was said
    #[arg(long, short)]
    pub timestamps: bool,
    /// Its name or ID
    #[arg(value_name = "CONTAINER")]
    pub container: String,
}

/// Prints what the container has said, where it was said.
pub fn logs(container: &Container, arguments: &LogsArguments) -> Result<u8, CommandError> {
    let path = container.log_path();
    let failed = |source| CommandError::ReadFile { path: path.clone(), source };
    let mut reader = Reader::open(&path, arguments.tail).map_err(failed)?;
    loop {
        // Before the look: what is said until then is found.
        let ended = !arguments.follow || !container.state()?.status.is_live();
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

fn show(entry: &Entry, arguments: &LogsArguments) -> io::Result<()> {
    if arguments.since.is_some_and(|since| time::parse(&entry.time).is_some_and(|at| at < since)) {
        return Ok(());
    }
    let mut text = entry.log.clone();
    if arguments.timestamps {
        text = format!("{} {text}", entry.time);
    }
    match entry.stream {
        Stream::Stdout => io::stdout().lock().write_all(text.as_bytes()),
        Stream::Stderr => io::stderr().lock().write_all(text.as_bytes()),
    }
}

fn parse_tail(text: &str) -> Result<From, String> {
    match text {
        "all" => Ok(From::Start),
        text => text
            .parse()
            .map(From::Tail)
            .map_err(|_| format!("'{}' is neither a number of lines nor all", text.escape_debug())),
    }
}

/// In seconds since 1970.
fn parse_since(text: &str) -> Result<i64, String> {
    if let Some(time) = time::parse(text) {
        return Ok(time);
    }
    let units = [('s', 1), ('m', 60), ('h', 3600)];
    let ago = units.iter().find_map(|(unit, seconds)| {
        text.strip_suffix(*unit)?.parse::<u32>().ok().map(|count| i64::from(count) * seconds)
    });
    ago.map(|ago| time::now() - ago).ok_or_else(|| {
        let text = text.escape_debug();
        format!("'{text}' is no time: give one as in 2026-11-24T12:00:00Z, or 30s, 10m, 2h ago")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_dockers() {
        assert_eq!(parse_tail("all"), Ok(From::Start));
        assert_eq!(parse_tail("5"), Ok(From::Tail(5)));
        assert!(parse_tail("-1").is_err());
        assert_eq!(parse_since("1970-01-01T00:01:00Z"), Ok(60));
        let ago = time::now() - parse_since("10m").unwrap();
        assert!((600..=601).contains(&ago), "{ago}");
        for wrong in ["", "m", "10", "10d", "tomorrow"] {
            assert!(parse_since(wrong).unwrap_err().contains("is no time"), "{wrong}");
        }
    }
}
