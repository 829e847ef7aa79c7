//! Why there is no process.

use std::io;

use protocol::{ByteString, FailureKind, NetworkError, ProcessError};

use crate::command::CommandError;
use crate::users::UserError;

/// What the host is told in `StartFailed`.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A field of the process is wrong.
    #[error("process: {0}")]
    Process(#[from] ProcessError),
    /// A field of the network is wrong.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The user or group is not in the image.
    #[error(transparent)]
    User(#[from] UserError),
    /// The command is not there, or can't be executed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// Its working directory is not there, or is none.
    #[error("cwd: {path}: {error}")]
    WorkingDirectory {
        /// Which.
        path: ByteString,
        /// The kernel's answer.
        error: io::Error,
    },
    /// It would stand still before it is the container's process, and guest-init with it.
    #[error("the container is paused")]
    Frozen,
    /// What guest-init's program for the container reported.
    #[error("{1}")]
    Reported(FailureKind, String),
    /// The guest's kernel refused something.
    #[error("{what}: {error}")]
    System {
        /// What was tried.
        what: String,
        /// The kernel's answer.
        error: io::Error,
    },
}

impl StartError {
    /// The exit status that belongs to it.
    pub fn kind(&self) -> FailureKind {
        match self {
            Self::Command(error) => error.kind(),
            Self::Reported(kind, _) => *kind,
            // docker's: moby's daemon/errors.go, `setExitCodeFromError`.
            Self::WorkingDirectory { error, .. } => match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => FailureKind::NotFound,
                _ => FailureKind::NotExecutable,
            },
            _ => FailureKind::Other,
        }
    }
}

/// Names the step that a system call's error belongs to.
pub(crate) trait During<T> {
    fn during(self, what: impl Into<String>) -> Result<T, StartError>;
}

impl<T, E: Into<io::Error>> During<T> for Result<T, E> {
    fn during(self, what: impl Into<String>) -> Result<T, StartError> {
        self.map_err(|error| StartError::System { what: what.into(), error: error.into() })
    }
}
