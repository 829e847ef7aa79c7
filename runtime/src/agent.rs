//! The host's half of the conversation with guest-init (the `protocol` crate's documentation has the whole of it).
//!
//! [`Agent::listen`] comes before the VM starts, so that the guest finds somebody; [`Agent::run`] then sees one
//! process through, from the guest's first Hello to the last byte of output:
//!
//! - this thread polls: new connections, the control stream, signals to pass on, the end of the VM;
//! - three threads copy stdin, stdout and stderr ([`pump`]), each with one fixed buffer.
//!
//! The guest is not trusted: every frame is bounded, so is the number of connections, nothing here waits for the
//! guest without also listening to signals, and its words are escaped before a person sees them.

mod control;
mod handshake;
mod pump;
mod signals;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use protocol::{
    ByteString, ExitStatus, FailureKind, FrameError, HelloError, PORT, Process, ProcessError,
    ToGuest, ToHost,
};
use rustix::event::{PollFd, PollFlags, poll};

use control::Control;
use handshake::Streams;
use pump::Pumps;
pub use signals::Signals;

/// Where a process's output goes and its input comes from.
pub struct Stdio {
    /// Read to its end, as far as the process reads.
    pub stdin: OwnedFd,
    /// The process's standard output, byte for byte.
    pub stdout: OwnedFd,
    /// And its standard error.
    pub stderr: OwnedFd,
}

impl Stdio {
    /// This process's own.
    pub fn inherit() -> io::Result<Self> {
        Ok(Self {
            stdin: io::stdin().as_fd().try_clone_to_owned()?,
            stdout: io::stdout().as_fd().try_clone_to_owned()?,
            stderr: io::stderr().as_fd().try_clone_to_owned()?,
        })
    }
}

/// Why there is no exit status.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The process to run is malformed.
    #[error("process: {0}")]
    Process(#[from] ProcessError),
    /// The process's description does not fit into one message.
    #[error("process: arguments and environment: {0}")]
    TooLong(FrameError),
    /// The socket that the guest calls.
    #[error("{path}: {error}")]
    Listen {
        /// Its path.
        path: PathBuf,
        /// What went wrong.
        error: io::Error,
    },
    /// The guest could not start the process.
    #[error("{message}")]
    StartFailed {
        /// Which exit status says it.
        kind: FailureKind,
        /// The guest's words, escaped.
        message: String,
    },
    /// A signal came when no process was there to take it.
    #[error("interrupted by signal {0}")]
    Interrupted(u8),
    /// The VM ended without a word.
    #[error(
        "the virtual machine ended before its guest reported (its console, --console, may say why)"
    )]
    VmEnded,
    /// The guest closed the conversation in the middle.
    #[error("the guest went away before the process ended (its console, --console, may say why)")]
    GuestLeft,
    /// The guest's greeting.
    #[error("guest: {0}")]
    Hello(#[from] HelloError),
    /// The guest said something that does not belong there.
    #[error("guest: {0}")]
    Protocol(String),
    /// Our own means: poll, threads, randomness.
    #[error("guest conversation: {0}")]
    Io(#[from] io::Error),
}

impl AgentError {
    /// The status for the command to exit with.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::StartFailed { kind, .. } => kind.exit_code(),
            Self::Interrupted(number) => ExitStatus::Signal(*number).exit_code(),
            _ => 1,
        }
    }
}

/// A frame that can't be read is the guest's end, or its fault.
impl From<FrameError> for AgentError {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::Closed | FrameError::Io(_) => Self::GuestLeft,
            error => Self::Protocol(error.to_string()),
        }
    }
}

/// Waits for the one guest of a VM.
#[derive(Debug)]
pub struct Agent {
    process: Process,
    listener: UnixListener,
    path: PathBuf,
}

impl Agent {
    /// Checks the process, and listens where the VMM connects the guest's calls: `vsock` is the VM's `uds_path`.
    pub fn listen(vsock: &Path, process: Process) -> Result<Self, AgentError> {
        process.check()?;
        control::start_message(process.clone())
            .and_then(|start| protocol::encode(&start).map_err(AgentError::TooLong))?;
        let mut path = vsock.as_os_str().to_owned();
        path.push(format!("_{PORT}"));
        let path = PathBuf::from(path);
        let listen = || {
            let listener = UnixListener::bind(&path)?;
            listener.set_nonblocking(true)?;
            Ok(listener)
        };
        match listen() {
            Ok(listener) => Ok(Self { process, listener, path }),
            Err(error) => Err(AgentError::Listen { path, error }),
        }
    }

    /// Runs the process in the guest that calls. `signals` gives a byte for each signal to pass on ([`Signals`]); `vm`
    /// becomes readable when the VM is gone (a pidfd of the VMM).
    ///
    /// When this returns, the conversation is closed, and a guest that behaves powers its VM off.
    pub fn run(
        self,
        stdio: Stdio,
        signals: BorrowedFd<'_>,
        vm: BorrowedFd<'_>,
    ) -> Result<ExitStatus, AgentError> {
        let Streams { mut control, stdin, stdout, stderr } =
            handshake::until_started(&self.listener, &self.process, signals, vm)?;
        // Nobody else in the guest is to reach this socket.
        drop(self);
        let pumps = Pumps::start(stdio, stdin, stdout, stderr)?;
        let mut outcome = None;
        loop {
            let done = pumps.output_done()?;
            if done && let Some(outcome) = outcome {
                return outcome;
            }
            // Only what is still awaited: an end would be reported again and again.
            let mut fds = vec![PollFd::new(&signals, PollFlags::IN)];
            if outcome.is_none() {
                fds.push(PollFd::new(&control, control.interest()));
            }
            if !done {
                fds.push(PollFd::new(&pumps, PollFlags::IN));
            }
            wait(&mut fds)?;
            if let Some(number) = signals::next(signals)? {
                match outcome {
                    None => control.send(&ToGuest::Signal { number })?,
                    // The process is gone and its output's reader does not take it: stop waiting for that.
                    Some(_) => return Err(AgentError::Interrupted(number)),
                }
            }
            if outcome.is_none() {
                outcome = converse(&mut control).transpose();
            }
        }
    }
}

/// A socket file that no one listens on any more.
impl Drop for Agent {
    fn drop(&mut self) {
        // Whoever removed it already did what is to be done.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Writes what waits, reads what is there. `Some`: the process ended.
fn converse(control: &mut Control) -> Result<Option<ExitStatus>, AgentError> {
    control.flush()?;
    match control.receive()? {
        None => Ok(None),
        Some(ToHost::Exited { status }) => Ok(Some(status)),
        Some(other) => Err(out_of_order(&other)),
    }
}

fn out_of_order(message: &ToHost) -> AgentError {
    let name = match message {
        ToHost::Ready => "ready",
        ToHost::Started { .. } => "started",
        ToHost::StartFailed { .. } => "start-failed",
        ToHost::Exited { .. } => "exited",
    };
    AgentError::Protocol(format!("said \"{name}\" when it was not its turn"))
}

/// The longest part of a guest's words that a person is shown.
const MAX_WORDS: usize = 1000;

/// The guest's words as one line that moves no cursor.
fn escaped(words: &str) -> String {
    ByteString::from(words.chars().take(MAX_WORDS).collect::<String>()).to_string()
}

/// poll(2), through interruptions, without a limit.
fn wait(fds: &mut [PollFd<'_>]) -> io::Result<()> {
    loop {
        match poll(fds, None) {
            Ok(_) => return Ok(()),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests;
