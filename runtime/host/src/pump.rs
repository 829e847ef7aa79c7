//! Bytes from a file descriptor to whoever takes them, with back pressure: there is one fixed buffer, and what comes next is
//! read only when all of it was taken. So who does not take his bytes stops whoever writes them.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;

use crate::poll::wait;

/// How much is read at a time, in bytes: as much as a pipe holds, pipe(7).
pub const BUFFER: usize = 64 << 10;

/// Who takes bytes.
pub trait Sink {
    /// A descriptor by whose error, or end, poll(2) shows that nothing will be taken any more, also while nothing comes.
    fn watched(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// Takes all of these, and waits as long as that needs. After an error it is given no more.
    fn take(&mut self, bytes: &[u8]) -> io::Result<()>;
}

/// Blocking or not: what a shell hands down as stdout may be either.
impl Sink for OwnedFd {
    fn watched(&self) -> Option<BorrowedFd<'_>> {
        Some(self.as_fd())
    }

    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        write_all(self.as_fd(), bytes)
    }
}

impl<S: Sink + ?Sized> Sink for Box<S> {
    fn watched(&self) -> Option<BorrowedFd<'_>> {
        (**self).watched()
    }

    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        (**self).take(bytes)
    }
}

/// Copies until the source ends, the sink takes no more, or `stop` is readable or at its end. The source may be blocking or
/// not.
pub fn copy(source: impl AsFd, sink: &mut impl Sink, stop: Option<BorrowedFd<'_>>) {
    let mut buffer = vec![0; BUFFER];
    loop {
        let mut fds = vec![PollFd::new(&source, PollFlags::IN)];
        let watched = sink.watched();
        fds.extend(watched.iter().map(|sink| PollFd::new(sink, PollFlags::empty())));
        fds.extend(stop.iter().map(|stop| PollFd::new(stop, PollFlags::IN)));
        if wait(&mut fds).is_err() || fds[1..].iter().any(|fd| !fd.revents().is_empty()) {
            return;
        }
        let count = match rustix::io::read(&source, &mut buffer) {
            Ok(0) => return,
            Ok(count) => count,
            Err(Errno::INTR | Errno::AGAIN) => continue,
            Err(_) => return,
        };
        if sink.take(&buffer[..count]).is_err() {
            return;
        }
    }
}

/// Writes all of these bytes, whether the descriptor is blocking or not.
pub fn write_all(sink: BorrowedFd<'_>, mut rest: &[u8]) -> io::Result<()> {
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

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    use std::thread;

    use rustix::pipe::{PipeFlags, pipe_with};

    use super::*;

    fn pipe() -> (File, OwnedFd) {
        let (read, write) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        (read.into(), write)
    }

    #[test]
    fn all_bytes_pass_between_descriptors_that_do_not_block() {
        let ((mut source, theirs), (ours, mut sink)) =
            (UnixStream::pair().unwrap(), UnixStream::pair().unwrap());
        theirs.set_nonblocking(true).unwrap();
        ours.set_nonblocking(true).unwrap();
        let sent: Vec<u8> = (0..=255).cycle().take(16 * BUFFER + 7).collect();
        let mut ours = OwnedFd::from(ours);
        thread::scope(|scope| {
            scope.spawn(move || {
                copy(&theirs, &mut ours, None);
                drop(ours);
            });
            let expected = sent.clone();
            scope.spawn(move || {
                source.write_all(&sent).unwrap();
            });
            let mut received = Vec::new();
            sink.read_to_end(&mut received).unwrap();
            assert!(received == expected);
        });
    }

    #[test]
    fn it_ends_with_its_sink_or_when_told_to_though_nothing_comes() {
        let (source, _writer) = pipe();
        let (reader, mut sink) = pipe();
        drop(reader);
        copy(&source, &mut sink, None);

        let (_reader, mut sink) = pipe();
        let (stopped, stop) = pipe();
        drop(stop);
        copy(&source, &mut sink, Some(stopped.as_fd()));
    }

    #[test]
    fn a_sink_that_refuses_is_given_no_more() {
        struct Once(Vec<u8>);
        impl Sink for Once {
            fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
                self.0.extend(bytes);
                Err(io::ErrorKind::BrokenPipe.into())
            }
        }
        let (mut source, writer) = pipe();
        write_all(writer.as_fd(), &vec![b'x'; BUFFER]).unwrap();
        let mut sink = Once(Vec::new());
        copy(&source, &mut sink, None);
        drop(writer);
        let mut rest = Vec::new();
        source.read_to_end(&mut rest).unwrap();
        assert_eq!(sink.0.len() + rest.len(), BUFFER);
        assert!(!sink.0.is_empty());
    }
}
