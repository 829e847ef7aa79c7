//! Where a container's output goes: into its log, and to all who are attached.

#[cfg(test)]
mod tests;

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard};

use host::pump::Sink;
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::io::Errno;

use crate::container::log::{self, Stream};

/// Shared by the threads that copy ([`Share`]) and those that attach.
pub(super) struct Output {
    log: Mutex<log::Writer>,
    readers: Mutex<Vec<Arc<Reader>>>,
    /// Readable: nobody waits for a reader any more.
    abandoned: OwnedFd,
}

/// Someone who is attached to one stream.
struct Reader {
    stream: Stream,
    file: OwnedFd,
    /// The one who ran the container in the foreground: the process learns when he leaves.
    owner: bool,
}

impl Output {
    /// With this log, and nobody attached.
    pub(super) fn new(log: log::Writer) -> io::Result<Self> {
        let abandoned = eventfd(0, EventfdFlags::CLOEXEC)?;
        Ok(Self { log: Mutex::new(log), readers: Mutex::default(), abandoned })
    }

    /// From now on these get all output, the owner over restarts too. Whoever does not read makes the container wait.
    pub(super) fn attach(&self, stdout: OwnedFd, stderr: OwnedFd, owner: bool) {
        let reader = |stream, file| Arc::new(Reader { stream, file, owner });
        let both = [reader(Stream::Stdout, stdout), reader(Stream::Stderr, stderr)];
        lock(&self.readers).extend(both);
    }

    /// The container has ended: those who were attached see the end.
    pub(super) fn detach_all(&self) {
        lock(&self.readers).retain(|reader| reader.owner);
    }

    /// Stops waiting for those who don't read.
    pub(super) fn abandon(&self) {
        // Fails at the counter's limit only, and then it is readable.
        let _ = rustix::io::write(&self.abandoned, &1u64.to_ne_bytes());
    }

    /// For one run of the container: where its standard output and error go, and their end.
    pub(super) fn open(self: &Arc<Self>) -> ([Share; 2], Ended) {
        let (open, ended) = channel();
        let share = |stream| Share {
            output: Arc::clone(self),
            stream,
            log_works: true,
            _open: open.clone(),
        };
        ([share(Stream::Stdout), share(Stream::Stderr)], Ended(ended))
    }

    /// Writes to all who are attached. An error: the owner has left.
    fn show(&self, stream: Stream, bytes: &[u8]) -> io::Result<()> {
        let readers: Vec<_> = {
            let readers = lock(&self.readers);
            readers.iter().filter(|reader| reader.stream == stream).cloned().collect()
        };
        for reader in readers {
            if self.write_all(&reader, bytes).is_ok() {
                continue;
            }
            if reader.owner {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            lock(&self.readers).retain(|other| !Arc::ptr_eq(other, &reader));
        }
        Ok(())
    }

    /// Like [`host::pump::write_all`], but only as long as the reader is waited for.
    fn write_all(&self, reader: &Reader, mut rest: &[u8]) -> Result<(), Errno> {
        while !rest.is_empty() {
            let mut fds = [
                PollFd::new(&reader.file, PollFlags::OUT),
                PollFd::new(&self.abandoned, PollFlags::IN),
            ];
            match poll(&mut fds, None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
            if !fds[1].revents().is_empty() && fds[0].revents().is_empty() {
                return Err(Errno::CANCELED);
            }
            // A pipe that is writable takes a page at least without waiting (pipe(7)).
            let page = &rest[..rest.len().min(4096)];
            match rustix::io::write(reader.file.as_fd(), page) {
                Ok(count) => rest = &rest[count..],
                Err(Errno::INTR | Errno::AGAIN) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// One stream of one run, for the thread that copies it. Dropped at its end.
pub(super) struct Share {
    output: Arc<Output>,
    stream: Stream,
    log_works: bool,
    /// Closed last, when the log is complete.
    _open: Sender<()>,
}

impl Sink for Share {
    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.log_works
            && let Err(error) = lock(&self.output.log).write(self.stream, bytes)
        {
            ::log::warn!("the log: {error}");
            self.log_works = false;
        }
        // After an error the stream is closed, and the process gets SIGPIPE.
        self.output.show(self.stream, bytes)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if let Err(error) = lock(&self.output.log).end(self.stream) {
            ::log::warn!("the log: {error}");
        }
    }
}

/// The end of both streams of a run.
pub(super) struct Ended(Receiver<()>);

impl Ended {
    /// Waits until all that the container said is in the log, and was taken by those who are attached.
    pub(super) fn wait(self) {
        // Nothing is ever sent: what is seen is that both were dropped.
        let _ = self.0.recv();
    }
}

/// A thread that panicked left nothing half done here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
