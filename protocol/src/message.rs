//! What is said on the control stream.

use serde::{Deserialize, Serialize};

use crate::{ByteString, Process};

/// From the host to the guest, after its [`crate::Hello`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ToGuest {
    /// Run this process; said once, as the answer to [`ToHost::Ready`].
    Start(Box<Start>),
    /// Send the process a signal.
    Signal {
        /// signal(7), the numbers of the guest's architecture.
        number: u8,
    },
}

/// The process, and what only the host can know at the moment it starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// What to run.
    pub process: Process,
    /// The host's wall clock.
    pub clock: Clock,
    /// Bytes of the host's random source that the guest's is seeded with.
    pub seed: ByteString,
}

/// A time of CLOCK_REALTIME.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clock {
    /// Seconds since 1970-01-01 00:00 UTC.
    pub unix_seconds: u64,
    /// And nanoseconds, under 1,000,000,000.
    pub nanoseconds: u32,
}

/// From the guest to the host, after its [`crate::Hello`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ToHost {
    /// The image is mounted; the guest waits for [`ToGuest::Start`].
    Ready,
    /// The process runs.
    Started {
        /// Its number inside the guest.
        pid: u32,
    },
    /// There is no process, and won't be one: the guest powers off.
    StartFailed {
        /// Which exit status says it.
        kind: FailureKind,
        /// One line: what, and why.
        message: String,
    },
    /// The process ended, and every byte that it wrote was sent before this.
    Exited {
        /// How it ended.
        status: ExitStatus,
    },
}

/// Why a process could not be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// The image has no such command.
    NotFound,
    /// The command is there but can't be executed.
    NotExecutable,
    /// Anything else: a mount, the user, the message itself.
    Other,
}

impl FailureKind {
    /// The exit status a shell, and docker, give: POSIX XCU §2.8.2 (126 and 127); 1 is ours.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::NotFound => 127,
            Self::NotExecutable => 126,
            Self::Other => 1,
        }
    }
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExitStatus {
    /// It called exit(2) with this status.
    Code(u8),
    /// This signal ended it.
    Signal(u8),
}

impl ExitStatus {
    /// One number for both: 128 + n for signal n, as shells do.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Code(code) => code,
            Self::Signal(number) => 128u8.saturating_add(number),
        }
    }
}
