//! Signals as something to read (signalfd), so that they are handled at a quiet moment of the event loop instead of in
//! the middle of whatever a thread does.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};

/// The signals that ask this process to end.
pub const ENDING: [libc::c_int; 2] = [libc::SIGTERM, libc::SIGINT];

/// Signals that are blocked everywhere and readable here.
pub struct Signals(OwnedFd);

impl Signals {
    /// Blocks SIGTERM and SIGINT in the calling thread and the threads that it starts later, and makes them readable.
    pub fn new() -> io::Result<Signals> {
        Self::of(&ENDING)
    }

    /// The same for other signals.
    pub fn of(signals: &[libc::c_int]) -> io::Result<Signals> {
        let set = block(signals)?;
        // SAFETY: the call takes a pointer to an initialized set and doesn't keep it.
        let fd = unsafe { libc::signalfd(-1, &set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is new, open, and nobody else's.
        Ok(Signals(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// The next of them, if one has come: its number, and where it comes from.
    pub fn next(&self) -> Option<Came> {
        // signalfd(2), `struct signalfd_siginfo`: the number first, the code third.
        let mut info = [0; 128];
        rustix::io::read(&self.0, &mut info).ok()?;
        let field =
            |at: usize| i32::from_ne_bytes([info[at], info[at + 1], info[at + 2], info[at + 3]]);
        Some(Came { signal: field(0), by_kernel: field(8) == libc::SI_KERNEL })
    }
}

/// A signal that has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Came {
    /// Its number.
    pub signal: libc::c_int,
    /// No program has sent it: a key of the terminal's, say.
    pub by_kernel: bool,
}

/// Blocks signals in the calling thread and the threads and processes that it starts later. Gives the set of them.
pub fn block(signals: &[libc::c_int]) -> io::Result<libc::sigset_t> {
    change(libc::SIG_BLOCK, signals)
}

/// Lets signals in again.
pub fn unblock(signals: &[libc::c_int]) -> io::Result<libc::sigset_t> {
    change(libc::SIG_UNBLOCK, signals)
}

fn change(how: libc::c_int, signals: &[libc::c_int]) -> io::Result<libc::sigset_t> {
    let mut set = MaybeUninit::uninit();
    // SAFETY: `sigemptyset` initializes the set it is given; the other calls take pointers to the initialized set and
    // don't keep them.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in signals {
            libc::sigaddset(set.as_mut_ptr(), *signal);
        }
        match libc::pthread_sigmask(how, set.as_ptr(), std::ptr::null_mut()) {
            0 => Ok(set.assume_init()),
            error => Err(io::Error::from_raw_os_error(error)),
        }
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
