//! What can go wrong in a command of xtask, each kind with the exit status it ends with.

use std::io;

use host::cache::CacheError;
use host::kvm::ProbeError;
use host::text::in_one_line;

use crate::host::StandStill;

/// Why a command of xtask could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An operation of the operating system failed.
    #[error("cannot {action}: {source}")]
    Io {
        /// What was to be done, as "read FILE".
        action: String,
        /// The operating system's reason.
        source: io::Error,
    },
    /// A tool that xtask called failed; its whole output follows.
    #[error("`{command}` failed ({status})\n{output}")]
    Tool {
        /// The command line.
        command: String,
        /// How it ended.
        status: String,
        /// Its standard output and standard error.
        output: String,
    },
    /// The machine lacks something that xtask may not or cannot install.
    #[error("{0}")]
    Missing(String),
    /// The command line asks for something that does not go together.
    #[error("{0}")]
    Usage(String),
    /// There is no place for the cache.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// It is not known what this machine's KVM can do.
    #[error("trying KVM: {}", in_one_line(.0))]
    Kvm(#[from] ProbeError),
    /// A file or package does not hold what it should.
    #[error("{0}")]
    Content(String),
    /// The emulated host did not do its work.
    #[error("emulated host: {0}")]
    Host(String),
    /// The emulated host's time was up.
    #[error("emulated host: stopped after its time limit of {0} s (--timeout)")]
    TimeLimit(u64),
    /// The emulated host stood still: that is the emulator's fault, not that of what ran there.
    #[error("{}: {why}", Error::STOOD_STILL, why = .0)]
    StoodStill(StandStill),
}

impl Error {
    /// How the line begins that says so, in this program's output and in that of one that it has started.
    pub const STOOD_STILL: &str = "emulated host: stood still";

    /// The status xtask exits with: 2 for usage, 124 for a time limit (as timeout(1) has it), otherwise 1.
    pub fn exit_status(&self) -> u8 {
        match self {
            Error::Usage(_) => 2,
            Error::TimeLimit(_) => 124,
            _ => 1,
        }
    }
}

/// Says what was being done when an I/O operation failed.
pub trait Doing<T> {
    /// `action` completes the sentence "cannot …".
    fn doing(self, action: impl FnOnce() -> String) -> Result<T, Error>;
}

impl<T, E: Into<io::Error>> Doing<T> for Result<T, E> {
    fn doing(self, action: impl FnOnce() -> String) -> Result<T, Error> {
        self.map_err(|source| Error::Io { action: action(), source: source.into() })
    }
}
