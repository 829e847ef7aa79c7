//! Sub-tools: their output is captured and shown only when they fail.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;

use crate::error::{Doing, Error};
use crate::watchdog::Watchdog;

/// A download that never comes is no reason to wait for ever; a slow machine may compile for long.
const TIME_LIMIT: Duration = Duration::from_secs(2400);

/// Likewise for what takes minutes on an idle machine.
const LONG_TIME_LIMIT: Duration = Duration::from_secs(3 * 3600);

/// How often somebody who has no terminal is told that it goes on.
const TELL_EVERY: Duration = Duration::from_secs(30);

/// How much of a long output a failure shows: what was wrong is near its end.
const KEPT_LINES: usize = 60;

/// A spinner with a message on stderr; silent when stderr is not a terminal.
pub fn spinner(message: &str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner().with_message(message.to_owned());
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

/// Runs `command` to its end and returns its standard output.
pub fn run(message: &str, command: &mut Command) -> Result<String, Error> {
    let bar = spinner(message);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let program = command.get_program().to_owned();
    let child = command.spawn().doing(|| format!("start `{}`", program.display()))?;
    let watchdog = Watchdog::start(&child, Some(TIME_LIMIT))?;
    let output = child.wait_with_output().doing(|| format!("wait for `{}`", program.display()))?;
    bar.finish_and_clear();
    let status = output.status;
    if status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let output = [output.stdout, output.stderr].concat();
    // Cargo's messages for programs; those for people are on its standard error.
    let output = String::from_utf8_lossy(&output);
    let lines = output.lines().filter(|line| !line.starts_with(r#"{"reason":"#));
    let expired = watchdog.expired().map(|limit| format!("no end in {} s", limit.as_secs()));
    Err(Error::Tool {
        command: spell(command),
        status: expired.unwrap_or_else(|| status.to_string()),
        output: lines.collect::<Vec<_>>().join("\n"),
    })
}

/// Runs `command`, which takes minutes, to its end, and tells how many lines of its output `counts` picks: on a terminal as they
/// come, elsewhere in a line now and then.
pub fn run_counting(
    message: &str,
    unit: &str,
    mut command: Command,
    counts: fn(&str) -> bool,
) -> Result<(), Error> {
    let bar = spinner(message);
    let spelled = spell(&command);
    let doing = || format!("run `{spelled}`");
    let (output, both) = std::io::pipe().doing(doing)?;
    let other = both.try_clone().doing(doing)?;
    command.stdin(Stdio::null()).stdout(both).stderr(other);
    let mut child = command.spawn().doing(doing)?;
    // It holds the writing end too: the output would never end.
    drop(command);
    let watchdog = Watchdog::start(&child, Some(LONG_TIME_LIMIT))?;
    let (start, mut told) = (Instant::now(), Instant::now());
    let (mut counted, mut last) = (0, VecDeque::new());
    for line in BufReader::new(output).split(b'\n') {
        let line = String::from_utf8_lossy(&line.doing(doing)?).into_owned();
        if counts(&line) {
            counted += 1;
            bar.set_message(format!("{message}: {counted} {unit}"));
            if bar.is_hidden() && told.elapsed() > TELL_EVERY {
                told = Instant::now();
                eprintln!("xtask: {message}: {counted} {unit} in {} s", start.elapsed().as_secs());
            }
        } else {
            last.push_back(line);
            last.drain(..last.len().saturating_sub(KEPT_LINES));
        }
    }
    let status = child.wait().doing(doing)?;
    bar.finish_and_clear();
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
