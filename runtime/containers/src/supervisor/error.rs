//! What goes wrong around a container's life.

use std::io;
use std::path::PathBuf;

use protocol::FrameError;
use thiserror::Error;

use crate::container::ContainerError;
use crate::conversation::Failure;
use crate::vm::VmError;
use host::program::NoProgram;

/// Why a container did not do what was asked.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum SupervisorError {
    #[error(transparent)]
    Container(#[from] ContainerError),
    #[error(transparent)]
    Vm(#[from] VmError),
    #[error(transparent)]
    Guest(#[from] Failure),
    #[error("the container is not running: bulkhead start it first")]
    NotRunning,
    #[error("the container's root is read-only: nothing is copied there")]
    ReadOnly,
    #[error("the container is paused: bulkhead unpause it first")]
    Paused,
    #[error("the container is not paused")]
    NotPaused,
    #[error("cannot open the supervisor's socket")]
    Listen(#[source] io::Error),
    #[error(
        "the container's supervisor, process {supervisor}, can't be reached: does it run in this network namespace?"
    )]
    Unreachable { supervisor: u32, source: io::Error },
    #[error("the control socket's other end belongs to user {0}, who has no business there")]
    Stranger(u32),
    #[error("{path}: cannot make it")]
    Complaints { path: PathBuf, source: io::Error },
    #[error("cannot start a supervisor")]
    Spawn(#[source] io::Error),
    #[error(transparent)]
    Program(#[from] NoProgram),
    #[error("the supervisor went away")]
    Lost(#[from] FrameError),
    #[error("the supervisor did not answer within {0} s")]
    NoAnswer(u64),
    #[error(
        "{0} clients are served already, more than which only stop and kill are answered: end one of them first"
    )]
    Crowded(usize),
    #[error("the client does not wait for the answer any more")]
    ClientLeft,
    #[error("the supervisor answered something else than was asked")]
    Unexpected,
    #[error("the terminal")]
    Terminal(#[source] io::Error),
    /// What the supervisor answered.
    #[error("{message}")]
    Refused { message: String, status: u8 },
    #[error("the request came with {found} file descriptors instead of {wanted}")]
    Descriptors { found: usize, wanted: usize },
    #[error("supervisor")]
    Io(#[from] io::Error),
}

impl SupervisorError {
    /// The exit status that this error deserves.
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::Vm(error) => error.exit_status(),
            Self::Guest(failure) => failure.exit_code(),
            Self::Refused { status, .. } => *status,
            _ => 1,
        }
    }
}
