//! What is said about a copy that is done.

use std::ffi::OsStr;
use std::io::{self, IsTerminal};

use crate::size::show_size;
use host::text::printable;

/// To say how much was copied where, as docker does: on a terminal.
pub(super) struct Summary<'a> {
    to: &'a OsStr,
    is_quiet: bool,
}

impl<'a> Summary<'a> {
    /// Says nothing when it is `quiet`.
    pub fn new(to: &'a OsStr, quiet: bool) -> Self {
        Self { to, is_quiet: quiet || !io::stdout().is_terminal() }
    }

    /// Says it, with the size of all files in bytes.
    pub fn say(&self, size: u64) {
        if !self.is_quiet {
            let to = printable(self.to.as_encoded_bytes());
            eprintln!("Successfully copied {} to {to}", show_size(size));
        }
    }
}
