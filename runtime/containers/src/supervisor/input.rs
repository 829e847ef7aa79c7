//! The standard input of a container that runs in the background: whoever is attached types into it.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};
use std::thread;

use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};

use crate::limits::BUFFER;

/// The end that is written to, of the container's present process.
#[derive(Default)]
pub(super) struct Input(Mutex<Option<Arc<OwnedFd>>>);

impl Input {
    /// A new pipe; the end for the process.
    pub(super) fn open(&self) -> io::Result<OwnedFd> {
        let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
        *self.end() = Some(Arc::new(write));
        Ok(read)
    }

    /// Copies from a client until it, or the process, ends. The end of one client's input is not the container's: another
    /// may come.
    pub(super) fn feed(&self, source: OwnedFd) -> io::Result<()> {
        let Some(sink) = self.end().clone() else { return Ok(()) };
        let body = move || {
            let mut buffer = vec![0; BUFFER];
            loop {
                match rustix::io::read(&source, &mut buffer) {
                    Ok(0) => return,
                    Ok(count) if write_all(&sink, &buffer[..count]).is_ok() => {}
                    Err(Errno::INTR) => {}
                    _ => return,
                }
            }
        };
        thread::Builder::new().name("input".into()).spawn(body)?;
        Ok(())
    }

    fn end(&self) -> std::sync::MutexGuard<'_, Option<Arc<OwnedFd>>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn write_all(sink: &OwnedFd, mut rest: &[u8]) -> Result<(), Errno> {
    while !rest.is_empty() {
        match rustix::io::write(sink, rest) {
            Ok(count) => rest = &rest[count..],
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
