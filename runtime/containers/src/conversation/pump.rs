//! A stream of a process, or an archive, copied by a thread with one fixed buffer: who does not take his bytes stops the
//! other, all the way through vsock's credit to the process.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::thread;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::Shutdown;
use rustix::pipe::{PipeFlags, pipe_with};

use host::poll::wait;
use host::pump::{Sink, copy};

/// A running thread. Dropping this stops one that reads input; output in the hands of a blocked reader is left to its
/// thread.
pub(super) struct Pump {
    /// At its end when the copying has ended: the thread holds the other side.
    ended: OwnedFd,
    /// The thread of an input reads the other side's end as "stop".
    _stop: OwnedFd,
}

impl Pump {
    /// From the host to the guest, up to an end of file.
    pub(super) fn input(source: OwnedFd, stream: UnixStream) -> io::Result<Self> {
        Self::start("input", move |ended, stopped| {
            let mut stream = OwnedFd::from(stream);
            copy(&source, &mut stream, Some(stopped.as_fd()));
            // End of file for the guest. Fails when that closed it first.
            let _ = rustix::net::shutdown(&stream, Shutdown::Write);
            drop(ended);
            // Open until the end: closing it would tell the guest to throw away what it has not read yet.
            let _ = wait(&mut [PollFd::new(&stopped, PollFlags::IN)]);
        })
    }

    /// From the guest to the host, up to an end of file.
    pub(super) fn output(
        stream: UnixStream,
        mut sink: impl Sink + Send + 'static,
    ) -> io::Result<Self> {
        Self::start("output", move |ended, _stopped| {
            copy(&stream, &mut sink, None);
            // When nobody reads the output any more, the process is to learn it.
            let _ = rustix::net::shutdown(&stream, Shutdown::Both);
            // A reader of a pipe sees the end no later than the one who waits for this thread.
            drop(sink);
            drop(ended);
        })
    }

    fn start(name: &str, body: impl FnOnce(OwnedFd, OwnedFd) + Send + 'static) -> io::Result<Self> {
        let (ended, ends) = pipe_with(PipeFlags::CLOEXEC)?;
        let (stopped, stop) = pipe_with(PipeFlags::CLOEXEC)?;
        thread::Builder::new().name(name.into()).spawn(move || body(ends, stopped))?;
        Ok(Self { ended, _stop: stop })
    }

    /// Whether everything has been passed on, or can't be.
    pub(super) fn is_done(&self) -> io::Result<bool> {
        let mut fds = [PollFd::new(&self.ended, PollFlags::IN)];
        match poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) {
            Ok(_) => Ok(!fds[0].revents().is_empty()),
            Err(Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// Readable when the copying has ended.
impl AsFd for Pump {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ended.as_fd()
    }
}
