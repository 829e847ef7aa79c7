//! The session of whoever started this program, and so the terminal.

use std::io;

use rustix::process::setsid;

use super::Inside;
use crate::event::signals;

/// Leaves it, unless the terminal is the VM's console.
pub(super) fn leave(inside: &mut Inside) -> io::Result<()> {
    if inside.terminal.is_none() {
        setsid()?;
    }
    // Whose terminal goes to another process reads nothing more from it, instead of again and again the signal that
    // stops whoever tries: PID 1 of a namespace is not stopped by it.
    signals::block(&[libc::SIGTTIN, libc::SIGTTOU]).map(drop)
}
