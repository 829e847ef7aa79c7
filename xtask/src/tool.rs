//! Sub-tools: their output is captured and shown only when they fail.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use crate::error::{Doing, Error};
use crate::progress::Step;
use crate::watchdog::Watchdog;

/// A download that never comes is no reason to wait for ever; a slow machine may compile for long.
const TIME_LIMIT: Duration = Duration::from_secs(2400);

/// Likewise for what takes minutes on an idle machine.
const LONG_TIME_LIMIT: Duration = Duration::from_secs(3 * 3600);

/// How much of a long output a failure shows: what was wrong is near its end.
const KEPT_LINES: usize = 60;

/// Runs `command` to its end and returns its standard output.
pub fn run(message: &str, command: &mut Command) -> Result<String, Error> {
    run_step(&Step::start(message), command, |line| Line::Kept(line))
}

/// Likewise, for a command that downloads into the folder `folder`.
pub fn run_download(
    message: &str,
    folder: PathBuf,
    command: &mut Command,
) -> Result<String, Error> {
    run_step(&Step::download(message, folder), command, |line| Line::Kept(line))
}

/// What a line on a command's standard error is.
#[derive(Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// What is shown when the command fails.
    Kept(&'a str),
    /// How far it is.
    HowFar(String),
    /// Nothing to anybody.
    Passing,
}

/// Likewise, as a step that tells how far it is; `sort` says which lines do.
pub fn run_step(
    step: &Step,
    command: &mut Command,
    sort: fn(&str) -> Line<'_>,
) -> Result<String, Error> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let program = command.get_program().to_owned();
    let mut child = command.spawn().doing(|| format!("start `{}`", program.display()))?;
    let watchdog = Watchdog::start(&child, Some(TIME_LIMIT))?;
    let doing = || format!("read what `{}` says", program.display());
    let (mut stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (output, errors) = thread::scope(|scope| {
        let output = scope.spawn(move || {
            let mut bytes = Vec::new();
            stdout.as_mut().map_or(Ok(0), |stdout| stdout.read_to_end(&mut bytes))?;
            Ok::<_, io::Error>(String::from_utf8_lossy(&bytes).into_owned())
        });
        let mut kept = String::new();
        let read = stderr.map_or(Ok(()), |stderr| {
            lines(stderr, |line| match sort(line) {
                Line::Kept(line) => kept.extend([line, "\n"]),
                Line::HowFar(how_far) => step.tell(&how_far),
                Line::Passing => {}
            })
        });
        let output = output.join().unwrap_or_else(|_| Err(io::Error::other("a thread panicked")));
        Ok::<_, io::Error>((output?, read.map(|()| kept)?))
    })
    .doing(doing)?;
    let status = child.wait().doing(|| format!("wait for `{}`", program.display()))?;
    if status.success() {
        return Ok(output);
    }
    // Cargo's messages for programs; those for people are on its standard error.
    let output = output.lines().filter(|line| !line.starts_with(r#"{"reason":"#));
    let expired = watchdog.expired().map(|limit| format!("no end in {} s", limit.as_secs()));
    Err(Error::Tool {
        command: spell(command),
        status: expired.unwrap_or_else(|| status.to_string()),
        output: output.chain(errors.lines()).collect::<Vec<_>>().join("\n"),
    })
}

/// Gives each line to `take`; one that is to be written over ends with a carriage return.
fn lines(mut from: impl Read, mut take: impl FnMut(&str)) -> io::Result<()> {
    let (mut buffer, mut line) = ([0; 4096], Vec::new());
    loop {
        let length = from.read(&mut buffer)?;
        for &byte in &buffer[..length] {
            if byte == b'\n' || byte == b'\r' {
                take(&String::from_utf8_lossy(&line));
                line.clear();
            } else {
                line.push(byte);
            }
        }
        if length == 0 {
            if !line.is_empty() {
                take(&String::from_utf8_lossy(&line));
            }
            return Ok(());
        }
    }
}

/// Runs `command`, which takes minutes, to its end, and tells how many lines of its output `counts` picks.
pub fn run_counting(
    message: &str,
    unit: &str,
    mut command: Command,
    counts: fn(&str) -> bool,
) -> Result<(), Error> {
    let step = Step::start(message);
    let spelled = spell(&command);
    let doing = || format!("run `{spelled}`");
    let (output, both) = std::io::pipe().doing(doing)?;
    let other = both.try_clone().doing(doing)?;
    command.stdin(Stdio::null()).stdout(both).stderr(other);
    let mut child = command.spawn().doing(doing)?;
    // It holds the writing end too: the output would never end.
    drop(command);
    let watchdog = Watchdog::start(&child, Some(LONG_TIME_LIMIT))?;
    let (mut counted, mut last) = (0, VecDeque::new());
    for line in BufReader::new(output).split(b'\n') {
        let line = String::from_utf8_lossy(&line.doing(doing)?).into_owned();
        if counts(&line) {
            counted += 1;
            step.tell(&format!("{counted} {unit}"));
        } else {
            last.push_back(line);
            last.drain(..last.len().saturating_sub(KEPT_LINES));
        }
    }
    let status = child.wait().doing(doing)?;
    if status.success() {
        return Ok(());
    }
    let expired = watchdog.expired().map(|limit| format!("no end in {} s", limit.as_secs()));
    Err(Error::Tool {
        command: spelled,
        status: expired.unwrap_or_else(|| status.to_string()),
        output: Vec::from(last).join("\n"),
    })
}

/// What a thread that does a part of the work has come to.
pub fn joined<T>(thread: ScopedJoinHandle<'_, Result<T, Error>>) -> Result<T, Error> {
    thread.join().unwrap_or_else(|_| Err(Error::Content("a thread panicked".into())))
}

/// The path of this program, as it was at the start: cargo may put a newer one in its place meanwhile, and the
/// kernel would then call this one deleted.
pub fn own_path() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| std::env::current_exe().unwrap_or_else(|_| "xtask".into()))
}

/// The command line as a person would type it (arguments without special characters assumed).
pub fn spell(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_returned_or_told_with_the_failure() {
        let shell = |script: &str| run("testing", Command::new("sh").args(["-c", script]));
        assert_eq!(shell("echo out; echo err >&2").unwrap(), "out\n");
        let failure =
            shell(r#"echo '{"reason":"x"}'; echo out; echo err >&2; exit 3"#).unwrap_err();
        let text = failure.to_string();
        assert!(text.ends_with("failed (exit status: 3)\nout\nerr"), "{text}");
        assert!(run("testing", &mut Command::new("/no/such/program")).is_err());
    }

    #[test]
    fn how_far_it_is_is_no_part_of_what_went_wrong() {
        fn sort(line: &str) -> Line<'_> {
            match line.strip_prefix("at ") {
                Some(how_far) => Line::HowFar(how_far.to_owned()),
                None if line.is_empty() => Line::Passing,
                None => Line::Kept(line),
            }
        }
        let mut command = Command::new("sh");
        command.args(["-c", r"printf 'at 1 of 2\rat 2 of 2\rwrong\n\nat the end' >&2; exit 3"]);
        let failure = run_step(&Step::start("testing"), &mut command, sort).unwrap_err();
        assert!(failure.to_string().ends_with("(exit status: 3)\nwrong"), "{failure}");
    }

    #[test]
    fn a_long_run_that_fails_shows_the_end_of_what_was_not_counted() {
        let shell = |script: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            run_counting("testing", "lines", command, |line| line.starts_with("CC"))
        };
        shell("echo CC a; echo b").unwrap();
        let text = shell("seq 100; echo CC a; echo err >&2; exit 3").unwrap_err().to_string();
        assert!(text.ends_with("99\n100\nerr") && !text.contains("\n40\n"), "{text}");
    }
}
