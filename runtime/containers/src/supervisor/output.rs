//! Where a container's output goes: into its log, and to all who are attached.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::io::Errno;

use crate::container::log::{self, Stream};
use crate::limits::BUFFER;

/// Shared by the threads that copy and those that attach.
pub(super) struct Output {
    log: Mutex<log::Writer>,
    sinks: Mutex<Vec<Arc<Sink>>>,
    /// Readable: nobody waits for a reader any more.
    abandoned: OwnedFd,
}

/// Someone who reads.
struct Sink {
    stream: Stream,
    file: OwnedFd,
    /// The one who ran the container in the foreground: the process learns when he leaves.
    owner: bool,
}

impl Output {
    /// With this log, and nobody attached.
    pub(super) fn new(log: log::Writer) -> std::io::Result<Self> {
        let abandoned = eventfd(0, EventfdFlags::CLOEXEC)?;
        Ok(Self { log: Mutex::new(log), sinks: Mutex::default(), abandoned })
    }

    /// From now on these get all output, the owner over restarts too. Whoever does not read makes the container wait.
    pub(super) fn attach(&self, stdout: OwnedFd, stderr: OwnedFd, owner: bool) {
        let sink = |stream, file| Arc::new(Sink { stream, file, owner });
        lock(&self.sinks).extend([sink(Stream::Stdout, stdout), sink(Stream::Stderr, stderr)]);
    }

    /// The container has ended: those who were attached see the end.
    pub(super) fn detach_all(&self) {
        lock(&self.sinks).retain(|sink| sink.owner);
    }

    /// Stops waiting for those who don't read.
    pub(super) fn abandon(&self) {
        // Fails at the counter's limit only, and then it is readable.
        let _ = rustix::io::write(&self.abandoned, &1u64.to_ne_bytes());
    }

    /// Copies one stream of the container to its end.
    pub(super) fn copy(
        self: &Arc<Self>,
        stream: Stream,
        source: OwnedFd,
    ) -> std::io::Result<JoinHandle<()>> {
        let output = Arc::clone(self);
        thread::Builder::new().name("output".into()).spawn(move || output.run(stream, source))
    }

    fn run(&self, stream: Stream, source: OwnedFd) {
        self.pass_on(stream, File::from(source));
        if let Err(error) = lock(&self.log).end(stream) {
            ::log::warn!("the log: {error}");
        }
    }

    fn pass_on(&self, stream: Stream, mut source: File) {
        let mut buffer = vec![0; BUFFER];
        let mut log_works = true;
        loop {
            let count = match source.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(_) => break,
            };
            let bytes = &buffer[..count];
            if log_works && let Err(error) = lock(&self.log).write(stream, bytes) {
                ::log::warn!("the log: {error}");
                log_works = false;
            }
            let sinks: Vec<_> = {
                let sinks = lock(&self.sinks);
                sinks.iter().filter(|sink| sink.stream == stream).cloned().collect()
            };
            for sink in sinks {
                if self.write_all(&sink, bytes).is_ok() {
                    continue;
                }
                if sink.owner {
                    // The source is closed with this, and the process gets SIGPIPE.
                    return;
                }
                lock(&self.sinks).retain(|other| !Arc::ptr_eq(other, &sink));
            }
        }
    }

    fn write_all(&self, sink: &Sink, mut rest: &[u8]) -> Result<(), Errno> {
        while !rest.is_empty() {
            let mut fds = [
                PollFd::new(&sink.file, PollFlags::OUT),
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
            match rustix::io::write(sink.file.as_fd(), page) {
                Ok(count) => rest = &rest[count..],
                Err(Errno::INTR | Errno::AGAIN) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// A thread that panicked left nothing half done here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
