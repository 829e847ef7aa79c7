//! Signals as bytes in a pipe, so that poll(2) sees them: the self-pipe trick.
//!
//! Handlers and not signalfd(2): a child, the VMM above all, inherits blocked signals but never a handler.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};

use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};

/// What a person or a supervisor sends to a container, and that the window's size has changed.
const FORWARDED: [libc::c_int; 7] = [
    libc::SIGHUP,
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGTERM,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGWINCH,
];

/// The pipe's writing end, for the handler; -1 when nobody listens.
static SINK: AtomicI32 = AtomicI32::new(-1);

/// While it lives, the forwarded signals do nothing to this process but show up here. One at a time.
pub struct Signals {
    source: OwnedFd,
    _sink: OwnedFd,
    /// What each caught signal did before.
    before: Vec<(libc::c_int, libc::sigaction)>,
}

impl Signals {
    /// Starts to catch. A signal that was ignored (nohup(1)) stays ignored.
    pub fn catch() -> io::Result<Self> {
        let (source, sink) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        SINK.compare_exchange(-1, sink.as_raw_fd(), Ordering::SeqCst, Ordering::SeqCst)
            .map_err(|_| io::Error::other("signals are caught already"))?;
        let mut signals = Self { source, _sink: sink, before: Vec::new() };
        for number in FORWARDED {
            signals.before.extend(handle(number)?.map(|before| (number, before)));
        }
        Ok(signals)
    }

    /// The next signal, if one came.
    pub fn next(&self) -> io::Result<Option<u8>> {
        let mut byte = [0u8];
        loop {
            match rustix::io::read(&self.source, &mut byte) {
                Ok(1) => return Ok(Some(byte[0])),
                Ok(_) | Err(Errno::AGAIN) => return Ok(None),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.source.as_fd()
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for (number, before) in &self.before {
            // SAFETY: the action is one that the kernel gave for this signal.
            unsafe { libc::sigaction(*number, before, ptr::null_mut()) };
        }
        SINK.store(-1, Ordering::SeqCst);
    }
}

/// Installs the handler, and returns what it replaces; `None` for a signal that is ignored.
fn handle(number: libc::c_int) -> io::Result<Option<libc::sigaction>> {
    let mut before = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: sigaction(2) fills `before`, for which zeros are valid too; the handler does only what signal-safety(7)
    // allows.
    unsafe {
        if libc::sigaction(number, ptr::null(), before.as_mut_ptr()) != 0 {
            return Err(io::Error::last_os_error());
        }
        let before = before.assume_init();
        if before.sa_sigaction == libc::SIG_IGN {
            return Ok(None);
        }
        let mut action = MaybeUninit::<libc::sigaction>::zeroed().assume_init();
        action.sa_sigaction = on_signal as extern "C" fn(libc::c_int) as usize;
        action.sa_flags = libc::SA_RESTART;
        match libc::sigaction(number, &action, ptr::null_mut()) {
            0 => Ok(Some(before)),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

extern "C" fn on_signal(number: libc::c_int) {
    let byte = number as u8;
    // SAFETY: write(2) of one byte that lives here; errno is put back for the code that was interrupted. A full pipe
    // drops the signal: thousands are waiting.
    unsafe {
        let errno = libc::__errno_location();
        let saved = *errno;
        libc::write(SINK.load(Ordering::SeqCst), (&raw const byte).cast(), 1);
        *errno = saved;
    }
}
