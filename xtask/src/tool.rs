//! Sub-tools: their output is captured and shown only when they fail.

use std::io::IsTerminal;
use std::process::{Command, Stdio};
use std::time::Duration;

use indicatif::ProgressBar;

use crate::error::{Doing, Error};

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
    let output = command
        .stdin(Stdio::null())
        .output()
        .doing(|| format!("start `{}`", command.get_program().display()))?;
    bar.finish_and_clear();
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(stdout);
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    Err(Error::Tool {
        command: spell(command),
        status: output.status.to_string(),
        output: format!("{stdout}{stderr}").trim_end().to_owned(),
    })
}

/// The command line as a person would type it (arguments without special characters assumed).
pub fn spell(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
