//! This side's terminal and signals while a command runs in the emulated host.

use std::io;

pub use host::terminal::Raw;
use host::terminal::{is_typed_in, size as output_size};
use rustix::termios::isatty;

use super::{Control, Size};

/// Passed on to the command inside, as a shell passes them to the foreground command.
const FORWARDED: [i32; 4] = [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM];

/// The size of the terminal; `None` when one of the three standard streams is none.
pub fn size() -> Option<Size> {
    let size = output_size().filter(|_| is_typed_in() && isatty(io::stderr()))?;
    Some(Size { rows: size.rows, columns: size.columns })
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
