//! The standard input of a container that runs in the background: whoever is attached types into it.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use host::pump::copy;
use rustix::pipe::{PipeFlags, pipe_with};

/// The end that is written to, of the container's present process.
#[derive(Default)]
pub(super) struct Input(Mutex<Option<OwnedFd>>);

impl Input {
    /// A new pipe; the end for the process.
    pub(super) fn open(&self) -> io::Result<OwnedFd> {
        let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
        *self.end() = Some(write);
        Ok(read)
    }

    /// Copies from a client until it, or the process, ends. The end of one client's input is not the container's: another
    /// may come.
    pub(super) fn feed(&self, source: OwnedFd) -> io::Result<()> {
        let Some(mut sink) = self.end().as_ref().map(OwnedFd::try_clone).transpose()? else {
            return Ok(());
        };
        let body = move || copy(&source, &mut sink, None);
        thread::Builder::new().name("input".into()).spawn(body)?;
        Ok(())
    }

    fn end(&self) -> MutexGuard<'_, Option<OwnedFd>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
