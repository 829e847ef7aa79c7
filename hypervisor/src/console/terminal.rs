//! The terminal's raw mode: each key goes to the guest at once and unchanged.
//!
//! Whoever waits outside of the jail puts the terminal back as it was, however the VM ends.

use std::fs::File;
use std::io;

use rustix::process::getpgrp;
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetpgrp, tcsetattr};

/// The terminal on stdin, as it was found.
pub struct Terminal {
    before: Termios,
}

impl Terminal {
    /// The terminal that is this process's console, if there is one. One that is another process's at the moment is
    /// none: to touch it, or to read from it, would stop this one (SIGTTOU, SIGTTIN), or take what somebody types for a
    /// shell. An empty stdin takes its place.
    pub fn find() -> io::Result<Option<Terminal>> {
        let stdin = io::stdin();
        if !isatty(&stdin) {
            return Ok(None);
        }
        if tcgetpgrp(&stdin).ok() != Some(getpgrp()) {
            rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
            return Ok(None);
        }
        Ok(Some(Terminal { before: tcgetattr(&stdin)? }))
    }

    /// Gives the guest each key.
    pub fn make_raw(&self) -> io::Result<()> {
        let mut raw = self.before.clone();
        raw.make_raw();
        Ok(tcsetattr(io::stdin(), OptionalActions::Now, &raw)?)
    }

    /// Puts it back as it was.
    pub fn restore(&self) {
        // Nothing is left to be done about a terminal that is gone.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}
