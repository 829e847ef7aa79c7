//! The terminal's raw mode: each key goes to the guest at once and unchanged.

use std::io::{self, Stdin};
use std::sync::OnceLock;

use rustix::process::getpgrp;
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetpgrp, tcsetattr};

/// How the terminal was, for whoever has to put it back.
static BEFORE: OnceLock<Termios> = OnceLock::new();

/// While it lives, the terminal is raw.
pub struct RawMode(());

impl RawMode {
    /// Switches the terminal on stdin to raw mode. `None`: stdin is no terminal, or it is another
    /// process's at the moment, and to touch it would stop this one (SIGTTOU).
    pub fn enter() -> io::Result<Option<RawMode>> {
        let stdin = io::stdin();
        if !isatty(&stdin) || tcgetpgrp(&stdin).ok() != Some(getpgrp()) {
            return Ok(None);
        }
        let before = tcgetattr(&stdin)?;
        let mut raw = before.clone();
        raw.make_raw();
        if BEFORE.set(before).is_ok() {
            restore_on_panic();
        }
        tcsetattr(&stdin, OptionalActions::Now, &raw)?;
        Ok(Some(RawMode(())))
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        restore(&io::stdin());
    }
}

fn restore(stdin: &Stdin) {
    if let Some(before) = BEFORE.get() {
        // Nothing is left to be done about a terminal that is gone.
        let _ = tcsetattr(stdin, OptionalActions::Now, before);
    }
}

/// A panic aborts the process without dropping anything, so the terminal is put back before.
fn restore_on_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        restore(&io::stdin());
        report(panic);
    }));
}
