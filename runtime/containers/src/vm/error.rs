//! What goes wrong between the command and its VM.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::conversation::{ConversationError, Failure};
use crate::network::NetworkError;
use crate::network_names;
use host::cache::CacheError;
use host::program::NoProgram;

/// Why a container did not run to its end.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum VmError {
    #[error("{path}: cannot {action} the folder for running VMs")]
    Folder { action: &'static str, path: PathBuf, source: io::Error },
    #[error(
        "{path}: the folder for running VMs is not ours alone: it must belong to this user and have mode 700"
    )]
    NotOurs { path: PathBuf },
    #[error("--uid-base {base}: {why}")]
    UserRange { base: u32, why: &'static str },
    #[error(
        "all users from {base} to {last} belong to VMs that run: give some of them another range, by --uid-base"
    )]
    NoUser { base: u32, last: u32 },
    #[error("cannot make the scratch disk")]
    Scratch(#[source] io::Error),
    #[error(transparent)]
    Cache(#[from] CacheError),
    #[error(transparent)]
    Network(#[from] NetworkError),
    #[error(transparent)]
    NamedNetwork(#[from] network_names::NetworkError),
    #[error(
        "mke2fs is missing, which the container's disk needs: install e2fsprogs (or run with --rm, and without --scratch)"
    )]
    NoMke2fs,
    #[error("cannot make the scratch disk: mke2fs says: {message}")]
    Mke2fs { message: String },
    #[error("cannot make the memory in which a network interface tells of itself")]
    Report(#[source] io::Error),
    #[error("cannot take over signals")]
    Signals(#[source] io::Error),
    #[error("cannot duplicate standard input and output")]
    Stdio(#[source] io::Error),
    #[error("{path}: cannot write the VM's configuration")]
    Config { path: PathBuf, source: io::Error },
    #[error("{path}: cannot start it")]
    Spawn { path: PathBuf, source: io::Error },
    #[error("{}", out_of_memory(*.limit))]
    OutOfMemory { limit: Option<u64> },
    #[error(transparent)]
    Program(#[from] NoProgram),
    /// What the VMM said before it ended.
    #[error("{message}")]
    Vmm { message: String, status: u8 },
    #[error(
        "this machine's KVM can't run Linux: {why}: in a clone of Bulkhead, `cargo xtask host -- bulkhead run …` does it in an emulated machine"
    )]
    Kvm { why: String },
    /// It was given up.
    #[error(
        "the guest did not get ready: it {why}, longer than any boot does; {tail}; --console shows more of it, --kernel \
         PATH boots another kernel, `bulkhead check` looks at this machine"
    )]
    NotReady { why: String, tail: String },
    #[error("the guest stopped before the process started; its console ends with: {tail}")]
    Guest { tail: String },
    #[error(transparent)]
    Conversation(#[from] Failure),
}

impl VmError {
    /// The exit status that this error deserves.
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::Conversation(error) => match **error {
                ConversationError::Process(_) => 2,
                _ => error.exit_code(),
            },
            Self::Vmm { status, .. } => *status,
            // As of a process that was killed.
            Self::OutOfMemory { .. } => 128 + libc::SIGKILL as u8,
            _ => 1,
        }
    }
}

impl From<ConversationError> for VmError {
    fn from(error: ConversationError) -> Self {
        Self::Conversation(error.into())
    }
}

fn out_of_memory(limit: Option<u64>) -> String {
    let limit = limit.map(|bytes| format!(" (memory.max of its cgroup is {bytes} bytes)"));
    format!("the host ran out of memory for the VM and killed it{}", limit.unwrap_or_default())
}
