//! This process's own terminal, while keys and output are those of one elsewhere.

use std::io;
use std::os::fd::OwnedFd;

use protocol::TerminalSize;
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr};

/// The size of a terminal that nobody looks at, as the VT100 had it.
pub const UNSEEN: TerminalSize = TerminalSize { rows: 24, columns: 80 };

/// The size of the terminal on standard output, if there is one.
pub fn size() -> Option<TerminalSize> {
    let size = tcgetwinsize(io::stdout()).ok()?;
    Some(TerminalSize { rows: size.ws_row, columns: size.ws_col })
}

/// Whether somebody types on standard input.
pub fn is_typed_in() -> bool {
    isatty(io::stdin())
}

/// The terminal on standard input in raw mode, until dropped: keys go elsewhere as they are.
pub struct Raw {
    terminal: OwnedFd,
    before: Termios,
}

impl Raw {
    /// Enters raw mode, cfmakeraw(3). What was typed before is not lost.
    pub fn enter() -> io::Result<Self> {
        let terminal = rustix::io::dup(io::stdin())?;
        let before = tcgetattr(&terminal)?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(&terminal, OptionalActions::Now, &raw)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // Of a terminal that is gone nobody sees the mode.
        let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
    }
}
