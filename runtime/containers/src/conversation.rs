//! The host's half of the conversation with guest-init (the `protocol` crate's documentation has the whole of it).
//!
//! [`Reception::open`] comes before the VM starts, so that the guest finds somebody. [`Guest::expect`] then holds the
//! conversation in a thread of its own, and any thread may ask the guest for things:
//!
//! ```text
//!   supervisor ─┬─ start, signal, resize, freeze … ──▶ conversation ◀──control──▶ guest
//!   exec client ┘  ◀── answers, exits ───────────────      │
//!                                                          └─ pumps: stdin, stdout, stderr of each process
//! ```
//!
//! The guest is not trusted: every frame is bounded, so is the number of connections, the conversation never waits for
//! the guest without also listening to those who ask, and the guest's words are escaped before a person sees them.

mod answer;
mod asked;
mod calls;
mod control;
mod copies;
mod error;
mod guest;
mod process;
mod processes;
mod pump;
mod request;
mod setup;
mod signals;
mod thread;

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use host::pump::Sink;
use protocol::PORT;

pub use error::ConversationError;
pub(crate) use guest::{Guest, Onlooker};
pub(crate) use request::Running;
pub use request::{Exit, Failure};
pub use signals::Signals;

/// Where a process's output goes and its input comes from.
pub struct Stdio {
    /// Read to its end, as far as the process reads. Without it, the process's input is empty.
    pub stdin: Option<OwnedFd>,
    /// The process's standard output, byte for byte; with a terminal, all that it shows.
    pub stdout: OwnedFd,
    /// And its standard error; with a terminal, nothing.
    pub stderr: OwnedFd,
}

impl Stdio {
    /// This process's own.
    pub fn inherit() -> io::Result<Self> {
        Ok(Self {
            stdin: Some(io::stdin().as_fd().try_clone_to_owned()?),
            stdout: io::stdout().as_fd().try_clone_to_owned()?,
            stderr: io::stderr().as_fd().try_clone_to_owned()?,
        })
    }
}

/// The same, where the output need not go to descriptors.
pub(crate) struct Streams {
    /// As in [`Stdio`].
    pub stdin: Option<OwnedFd>,
    /// Gets the process's standard output, and is dropped at its end.
    pub stdout: Box<dyn Sink + Send>,
    /// And its standard error.
    pub stderr: Box<dyn Sink + Send>,
}

impl From<Stdio> for Streams {
    fn from(Stdio { stdin, stdout, stderr }: Stdio) -> Self {
        Self { stdin, stdout: Box::new(stdout), stderr: Box::new(stderr) }
    }
}

/// Where the VMM connects the guest's calls.
#[derive(Debug)]
pub(crate) struct Reception {
    listener: UnixListener,
    path: PathBuf,
}

impl Reception {
    /// Opens it; `vsock` is the VM's `uds_path`.
    pub fn open(vsock: &Path) -> Result<Self, ConversationError> {
        let mut path = vsock.as_os_str().to_owned();
        path.push(format!("_{PORT}"));
        let path = PathBuf::from(path);
        let listen = || {
            let listener = UnixListener::bind(&path)?;
            listener.set_nonblocking(true)?;
            Ok(listener)
        };
        match listen() {
            Ok(listener) => Ok(Self { listener, path }),
            Err(source) => Err(ConversationError::Listen { path, source }),
        }
    }

    /// The socket that is called.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// A socket file that no one listens on any more.
impl Drop for Reception {
    fn drop(&mut self) {
        // Whoever removed it already did what is to be done.
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests;
