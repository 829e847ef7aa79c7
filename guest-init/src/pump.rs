//! Bytes from one file descriptor to another, with back pressure.
//!
//! A pump holds one fixed buffer and reads again only when it has written all of it, so a side that does not take
//! its bytes stops the other: through the pipe's 64 KiB on one end, through vsock's credit on the other.
//! splice(2) would save the copy, but a vsock socket has no splice_read before Linux 6.5.

use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

/// A pipe's default size, pipe(7): one read takes all that the process could write.
const BUFFER: usize = 64 << 10;

/// Which side ended it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The source is at its end of file, or broken: nothing more will come.
    Source,
    /// The sink takes nothing any more.
    Sink,
}

/// Copies until one side ends. Both must be blocking.
pub fn pump(source: impl AsFd, sink: impl AsFd) -> End {
    copy(source, sink, |_| BUFFER)
}

/// Copies until one side ends, or until `ended` is readable and the source has given what was written by then: others than
/// the process that ended may hold the source's other side open, and may go on writing.
pub fn pump_until(source: impl AsFd, sink: impl AsFd, ended: impl AsFd) -> End {
    let source = source.as_fd();
    // Once it has ended: the most of its own that may still come.
    let mut left: Option<usize> = None;
    copy(source, sink, |read| {
        left = left.map(|left| left.saturating_sub(read));
        loop {
            let mut fds = [PollFd::new(&source, PollFlags::IN), PollFd::new(&ended, PollFlags::IN)];
            match poll(&mut fds, None) {
                Ok(_) => {
                    let ended = !fds[1].revents().is_empty();
                    // A pipe's end is POLLHUP, and then a read says so.
                    let readable = !fds[0].revents().is_empty();
                    if ended && left.is_none() {
                        left = Some(capacity(source));
                    }
                    return if readable { left.unwrap_or(BUFFER) } else { 0 };
                }
                Err(Errno::INTR) => {}
                Err(_) => return 0,
            }
        }
    })
}

/// The most that a pipe holds. A terminal holds less than a pipe of the usual size (8 KiB, linux/drivers/tty/pty.c).
fn capacity(source: impl AsFd) -> usize {
    rustix::pipe::fcntl_getpipe_size(source).unwrap_or(BUFFER)
}

/// `more` is told how much was read, waits until there is something to read, and says how much of it is wanted. Nothing: it
/// is not worth waiting any longer.
fn copy(source: impl AsFd, sink: impl AsFd, mut more: impl FnMut(usize) -> usize) -> End {
    let mut buffer = vec![0; BUFFER];
    let mut read = 0;
    loop {
        let wanted = more(read).min(BUFFER);
        if wanted == 0 {
            return End::Source;
        }
        let mut rest = match rustix::io::read(&source, &mut buffer[..wanted]) {
            Ok(0) => return End::Source,
            Ok(count) => &buffer[..count],
            Err(Errno::INTR) => continue,
            Err(_) => return End::Source,
        };
        read = rest.len();
        while !rest.is_empty() {
            match rustix::io::write(&sink, rest) {
                Ok(count) => rest = &rest[count..],
                Err(Errno::INTR) => {}
                Err(_) => return End::Sink,
            }
        }
    }
}

#[cfg(test)]
mod tests;
