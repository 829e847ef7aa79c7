//! A copy that a person ends, with Ctrl-C say.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU8, Ordering};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::Signal;

/// The signals that end a process that does nothing about them, of those that are caught.
const ENDING: [Signal; 4] = [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM];

/// What a container sends, until a signal comes: then it can't be read any more.
pub(super) struct Interruptible<'a, S> {
    pub archive: File,
    /// Where signals show up, and the next of them.
    pub signals: &'a S,
    pub next: fn(&S) -> io::Result<Option<u8>>,
    /// The number of the signal that has come; 0 for none.
    pub number: &'a AtomicU8,
}

impl<S: AsFd> Read for Interruptible<'_, S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            let mut fds = [
                PollFd::new(&self.archive, PollFlags::IN),
                PollFd::from_borrowed_fd(self.signals.as_fd(), PollFlags::IN),
            ];
            match poll(&mut fds, None) {
                Err(Errno::INTR) => continue,
                result => result?,
            };
            let has_data = !fds[0].revents().is_empty();
            while let Some(number) = (self.next)(self.signals)? {
                if ENDING.iter().any(|signal| signal.as_raw() == i32::from(number)) {
                    self.number.store(number, Ordering::Relaxed);
                    return Err(io::Error::other("a signal came"));
                }
            }
            if has_data {
                return self.archive.read(buf);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use rustix::pipe::{PipeFlags, pipe_with};

    use super::*;

    fn next(signals: &File) -> io::Result<Option<u8>> {
        let mut byte = [0];
        match (&*signals).read(&mut byte) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            result => result.map(|_| Some(byte[0])),
        }
    }

    #[test]
    fn an_archive_ends_with_a_signal_that_would_end_the_process() {
        let (archive, mut container) = pipe_with(PipeFlags::CLOEXEC)
            .map(|(read, write)| (File::from(read), File::from(write)))
            .unwrap();
        let (signals, mut person) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)
            .map(|(read, write)| (File::from(read), File::from(write)))
            .unwrap();
        let number = AtomicU8::new(0);
        let mut archive = Interruptible { archive, signals: &signals, next, number: &number };
        let mut data = [0; 8];
        container.write_all(b"data").unwrap();
        // The window's size has changed.
        person.write_all(&[Signal::WINCH.as_raw() as u8]).unwrap();
        assert_eq!(archive.read(&mut data).unwrap(), 4);
        person.write_all(&[Signal::TERM.as_raw() as u8]).unwrap();
        // Also of a container that sends nothing.
        archive.read(&mut data).unwrap_err();
        assert_eq!(i32::from(number.load(Ordering::Relaxed)), Signal::TERM.as_raw());
        drop(container);
        assert_eq!(archive.read(&mut data).unwrap(), 0);
    }
}
