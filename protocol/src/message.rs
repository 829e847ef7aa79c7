//! What is said on the control stream.

use serde::{Deserialize, Serialize};

use crate::{ByteString, Process, Setup, TerminalSize};

/// From the host to the guest, after its [`crate::Hello`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ToGuest {
    /// What the container is; said once, as the answer to [`ToHost::Ready`].
    Setup(Box<Setup>),
    /// Run a process.
    Start(Box<Start>),
    /// Send a process a signal. A process that has ended does not mind, and a number of no signal is passed over.
    Signal {
        /// Which.
        process: u32,
        /// signal(7), the numbers of the guest's architecture.
        number: u8,
    },
    /// A process's terminal has another size.
    Resize {
        /// Which.
        process: u32,
        /// Its size now.
        size: TerminalSize,
    },
    /// Let no process of the container run; the answer is [`ToHost::Frozen`]. Until [`ToGuest::Thaw`] nothing is started or
    /// copied: these requests fail.
    Freeze,
    /// Let them run again. The clock stood still with them.
    Thaw {
        /// The host's wall clock.
        clock: Clock,
    },
    /// Tell what the container uses; the answer is [`ToHost::Statistics`].
    Statistics,
    /// Send a file or folder as a tar archive, whose one top entry has the path's last name, or is `.` for a path that ends
    /// with `/.` and for the root. A link is followed only where more of the path comes behind it, if no more than a `/`.
    CopyOut {
        /// Number of the copy.
        transfer: u32,
        /// In the container, absolute.
        path: ByteString,
    },
    /// Unpack a tar archive.
    CopyIn {
        /// Number of the copy.
        transfer: u32,
        /// The folder to unpack it in, or a link to one: in the container, absolute, and there.
        path: ByteString,
    },
}

/// A process to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// Its number from now on: 0 is the container's first process.
    pub number: u32,
    /// What to run.
    pub process: Process,
    /// The size of its terminal; without one it gets pipes.
    pub terminal: Option<TerminalSize>,
    /// Whether the host has input for it. Otherwise its standard input is empty.
    pub stdin: bool,
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
    /// The image is mounted; the guest waits for [`ToGuest::Setup`].
    Ready,
    /// The process runs.
    Started {
        /// Which.
        process: u32,
        /// Its number inside the guest.
        pid: u32,
    },
    /// There is no such process, and won't be one. Process 0 fails for everything before it as well: mounts, Setup.
    StartFailed {
        /// Which.
        process: u32,
        /// Which exit status says it.
        kind: FailureKind,
        /// One line: what, and why.
        message: String,
    },
    /// The process ended, and every byte that it wrote was sent before this.
    Exited {
        /// Which.
        process: u32,
        /// How it ended.
        status: ExitStatus,
        /// The kernel has killed a process of the container for want of memory.
        out_of_memory: bool,
    },
    /// No process of the container runs any more.
    Frozen,
    /// They run again.
    Thawed,
    /// What the container uses.
    Statistics(Box<Statistics>),
    /// All of a copy was sent, or unpacked.
    Copied {
        /// Which.
        transfer: u32,
    },
    /// A copy came to nothing, or stopped in the middle.
    CopyFailed {
        /// Which.
        transfer: u32,
        /// One line: what, and why.
        message: String,
    },
    /// A request, not about a process or a copy, that could not be carried out.
    Failed {
        /// One line: what, and why.
        message: String,
    },
}

/// What a container uses, from its cgroup (linux/Documentation/admin-guide/cgroup-v2.rst).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statistics {
    /// Processor time, in nanoseconds, of all processors together.
    pub cpu_nanoseconds: u64,
    /// Memory, in bytes, without what the kernel could drop at once (inactive file pages), as docker counts.
    pub memory_bytes: u64,
    /// The most it may use, in bytes.
    pub memory_limit: u64,
    /// Processes and threads.
    pub pids: u64,
    /// Bytes read from disks.
    pub block_read_bytes: u64,
    /// Bytes written to disks.
    pub block_written_bytes: u64,
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
