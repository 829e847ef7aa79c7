//! stdin, stdout and stderr, each copied by a thread with one fixed buffer: who does not take his bytes stops the
//! other, all the way through vsock's credit to the process.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::thread;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::Shutdown;
use rustix::pipe::{PipeFlags, pipe_with};

use super::{Stdio, wait};

/// The running threads, seen from the agent. Dropping this stops the reading of stdin; output in the hands of a
/// blocked reader is left to its thread.
pub(super) struct Pumps {
    /// At its end when both outputs have ended: each thread holds the other side.
    output: OwnedFd,
    /// stdin's thread reads the other side's end as "stop".
    _stop: OwnedFd,
}

impl Pumps {
    pub(super) fn start(
        stdio: Stdio,
        stdin: UnixStream,
        stdout: UnixStream,
        stderr: UnixStream,
    ) -> io::Result<Self> {
        let (output, ended) = pipe_with(PipeFlags::CLOEXEC)?;
        let (stopped, stop) = pipe_with(PipeFlags::CLOEXEC)?;
        start_thread("stdin", move || {
            copy(stdio.stdin.as_fd(), stdin.as_fd(), Some(stopped.as_fd()));
            // End of file for the process. Fails when the guest closed it first.
            let _ = rustix::net::shutdown(&stdin, Shutdown::Write);
            // Open until the end: closing it would tell the guest to throw away what the process has not read yet.
            let _ = wait(&mut [PollFd::new(&stopped, PollFlags::IN)]);
        })?;
        for (name, stream, sink) in
            [("stdout", stdout, stdio.stdout), ("stderr", stderr, stdio.stderr)]
        {
            let ended = ended.try_clone()?;
            start_thread(name, move || {
                copy(stream.as_fd(), sink.as_fd(), None);
                // When nobody reads the output any more, the process is to learn it.
                let _ = rustix::net::shutdown(&stream, Shutdown::Both);
                drop(ended);
            })?;
        }
        Ok(Self { output, _stop: stop })
    }

    /// Whether everything that the process wrote has been passed on, or can't be.
    pub(super) fn output_done(&self) -> io::Result<bool> {
        let mut fds = [PollFd::new(&self.output, PollFlags::IN)];
        match poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) {
            Ok(_) => Ok(!fds[0].revents().is_empty()),
            Err(Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// Readable when the output has ended.
impl AsFd for Pumps {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.output.as_fd()
    }
}

fn start_thread(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.into()).spawn(body).map(drop)
}

/// As much as a pipe holds, pipe(7).
const BUFFER: usize = 64 << 10;

/// Copies until the source ends, the sink takes no more, or `stop` says so. Blocking or not: what a shell hands down
/// as stdin or stdout may be either.
fn copy(source: BorrowedFd<'_>, sink: BorrowedFd<'_>, stop: Option<BorrowedFd<'_>>) {
    let mut buffer = vec![0; BUFFER];
    loop {
        let mut fds =
            vec![PollFd::new(&source, PollFlags::IN), PollFd::new(&sink, PollFlags::empty())];
        fds.extend(stop.iter().map(|stop| PollFd::new(stop, PollFlags::IN)));
        if wait(&mut fds).is_err() || fds[1..].iter().any(|fd| !fd.revents().is_empty()) {
            return;
        }
        let count = match rustix::io::read(source, &mut buffer) {
            Ok(0) => return,
            Ok(count) => count,
            Err(Errno::INTR | Errno::AGAIN) => continue,
            Err(_) => return,
        };
        if write_all(sink, &buffer[..count]).is_err() {
            return;
        }
    }
}

fn write_all(sink: BorrowedFd<'_>, mut rest: &[u8]) -> io::Result<()> {
    while !rest.is_empty() {
        match rustix::io::write(sink, rest) {
            Ok(count) => rest = &rest[count..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => wait(&mut [PollFd::new(&sink, PollFlags::OUT)])?,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
