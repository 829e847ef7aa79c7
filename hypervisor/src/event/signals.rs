//! SIGTERM and SIGINT as something to read (signalfd), so that they are handled at a quiet
//! moment of the event loop instead of in the middle of whatever a thread does.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};

/// The signals that ask this process to end.
const ENDING: [libc::c_int; 2] = [libc::SIGTERM, libc::SIGINT];

/// The two signals, blocked everywhere and readable here.
pub struct Signals(OwnedFd);

impl Signals {
    /// Blocks the signals in the calling thread and the threads that it starts later, and makes
    /// them readable.
    pub fn new() -> io::Result<Signals> {
        let mut set = MaybeUninit::uninit();
        // SAFETY: `sigemptyset` initializes the set it is given; the other calls take pointers to
        // the initialized set and don't keep them.
        let fd = unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            for signal in ENDING {
                libc::sigaddset(set.as_mut_ptr(), signal);
            }
            match libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), std::ptr::null_mut()) {
                0 => libc::signalfd(-1, set.as_ptr(), libc::SFD_CLOEXEC | libc::SFD_NONBLOCK),
                error => return Err(io::Error::from_raw_os_error(error)),
            }
        };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is new, open, and nobody else's.
        Ok(Signals(unsafe { OwnedFd::from_raw_fd(fd) }))
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
