//! This side's terminal and signals while a command runs in the emulated host.

use std::io;
use std::os::fd::OwnedFd;

use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr};

use super::{Control, Size};
use crate::error::{Doing, Error};

/// Passed on to the command inside, as a shell passes them to the foreground command.
const FORWARDED: [i32; 4] = [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM];

/// The size of the terminal; `None` when one of the three standard streams is none.
pub fn size() -> Option<Size> {
    let (input, errors) = (isatty(io::stdin()), isatty(io::stderr()));
    let size = tcgetwinsize(io::stdout()).ok().filter(|_| input && errors)?;
    Some(Size { rows: size.ws_row, columns: size.ws_col })
}

/// The terminal on stdin in raw mode, until dropped: keys go to the terminal inside.
pub struct Raw {
    terminal: OwnedFd,
    before: Termios,
}

impl Raw {
    /// Enters raw mode.
    pub fn enter() -> Result<Raw, Error> {
        let doing = || "set up the terminal".to_owned();
        let terminal = rustix::io::dup(io::stdin()).doing(doing)?;
        let before = tcgetattr(&terminal).doing(doing)?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(&terminal, OptionalActions::Flush, &raw).doing(doing)?;
        Ok(Raw { terminal, before })
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = tcsetattr(&self.terminal, OptionalActions::Flush, &self.before);
    }
}

/// Keeps signals for [`forward`] to pass on. Threads inherit that, so it comes before the first is started.
pub fn hold_signals() {
    // SAFETY: the set is initialized; the old mask is not asked for.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &held(), std::ptr::null_mut()) };
}

/// Passes signals and changes of the window's size on to the command, for the rest of this process's life.
pub fn forward(control: Control) {
    std::thread::spawn(move || {
        loop {
            match next_signal() {
                libc::SIGWINCH => {
                    if let Some(size) = size() {
                        control.resize(size);
                    }
                }
                signal => control.signal(signal),
            }
        }
    });
}

fn held() -> libc::sigset_t {
    // SAFETY: a signal set is plain bytes; it is initialized by sigemptyset before any use.
    let mut set = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live signal set.
    unsafe { libc::sigemptyset(&mut set) };
    for signal in FORWARDED.into_iter().chain([libc::SIGWINCH]) {
        // SAFETY: the pointer is to a live signal set, the number is a valid signal.
        unsafe { libc::sigaddset(&mut set, signal) };
    }
    set
}

fn next_signal() -> i32 {
    let mut signal = 0;
    // SAFETY: both pointers are to live values; the set holds only blocked signals.
    unsafe { libc::sigwait(&held(), &mut signal) };
    signal
}
