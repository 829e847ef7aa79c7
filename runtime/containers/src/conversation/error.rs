//! Why there is no exit status, or no answer.

use std::io;
use std::path::PathBuf;

use crate::limits;
use protocol::{
    ByteString, ExitStatus, FailureKind, FrameError, HelloError, NetworkError, ProcessError, ToHost,
};

/// What can go wrong between host and guest.
#[derive(Debug, thiserror::Error)]
pub enum ConversationError {
    /// The process to run, or the container, is malformed.
    #[error("process")]
    Process(#[from] ProcessError),
    /// The network is malformed.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The process's description does not fit into one message.
    #[error("process: arguments and environment")]
    TooLong(#[source] FrameError),
    /// More processes at once than any container needs.
    #[error("{0} processes were started already and still run: end one first")]
    TooMany(usize),
    /// The socket that the guest calls.
    #[error("{path}: cannot listen there")]
    Listen {
        /// Its path.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// The guest could not start the process.
    #[error("{message}")]
    StartFailed {
        /// Which exit status says it.
        kind: FailureKind,
        /// The guest's words, escaped.
        message: String,
    },
    /// The guest could not do what was asked.
    #[error("{0}")]
    Refused(String),
    /// The guest said nothing, though nothing hinders it. The time is in seconds.
    #[error("the guest did not answer within {0} s")]
    NoAnswer(u64),
    /// Whoever asked has left.
    #[error("whoever asked does not wait for the answer any more")]
    AskerLeft,
    /// It has not answered what it was asked before.
    #[error("the guest has not answered {0} earlier questions")]
    Silent(usize),
    /// A signal came when no process was there to take it.
    #[error("interrupted by signal {0}")]
    Interrupted(u8),
    /// The container has ended, and the conversation with it.
    #[error("the container is not running any more")]
    Over,
    /// The VM ended without a word.
    #[error(
        "the virtual machine ended before its guest reported (its console, --console, may say why)"
    )]
    VmEnded,
    /// The VM was given up before its guest reported, for what it did meanwhile.
    #[error("the guest did not get ready: it {0}")]
    NotReady(String),
    /// The guest closed the conversation in the middle.
    #[error("the guest went away before the process ended (its console, --console, may say why)")]
    GuestLeft,
    /// The guest's greeting.
    #[error("guest: its greeting")]
    Hello(#[from] HelloError),
    /// The guest said something that does not belong there.
    #[error("guest: {0}")]
    Protocol(String),
    /// Our own means: poll, threads, randomness.
    #[error("guest conversation")]
    Io(#[from] io::Error),
}

impl ConversationError {
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
impl From<FrameError> for ConversationError {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::Closed | FrameError::Io(_) => Self::GuestLeft,
            error => Self::Protocol(error.to_string()),
        }
    }
}

/// The guest said something that nobody asked for.
pub(super) fn out_of_order(message: &ToHost) -> ConversationError {
    let name = match message {
        ToHost::Ready => "ready",
        ToHost::Started { .. } => "started",
        ToHost::StartFailed { .. } => "start-failed",
        ToHost::Exited { .. } => "exited",
        ToHost::Frozen => "frozen",
        ToHost::Thawed => "thawed",
        ToHost::Statistics(_) => "statistics",
        ToHost::Copied { .. } => "copied",
        ToHost::CopyFailed { .. } => "copy-failed",
        ToHost::Failed { .. } => "failed",
    };
    ConversationError::Protocol(format!("said \"{name}\" when it was not its turn"))
}

/// The guest's words as one line that moves no cursor.
pub(super) fn escaped(words: &str) -> String {
    ByteString::from(words.chars().take(limits::WORDS).collect::<String>()).to_string()
}
