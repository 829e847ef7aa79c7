//! Why there is no snapshot, or no machine of one.

use std::io;

use devices::RestoreError as DeviceError;

use super::VERSION;
use crate::kvm::KvmError;

/// Why a snapshot could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// It could not be written.
    #[error("cannot write it: {0}")]
    Write(io::Error),
    /// It could not be read.
    #[error("cannot read it: {0}")]
    Read(io::Error),
    /// It is something else.
    #[error("is no snapshot")]
    Kind,
    /// It is of another version.
    #[error("version {found}: expected {VERSION}: another version of bulkhead-vmm has made it")]
    Version {
        /// As the file has it.
        found: u32,
    },
    /// It is longer than any can be.
    #[error("{length} bytes: expected at most {most}")]
    TooLong {
        /// In bytes.
        length: u64,
        /// In bytes.
        most: u64,
    },
    /// It was cut short, or something was added.
    #[error("is damaged: it should have {said} bytes behind its header, and has {found}")]
    Length {
        /// As its header has it.
        said: u64,
        /// In bytes.
        found: u64,
    },
    /// It was changed.
    #[error("is damaged: its checksum is another one")]
    Checksum,
    /// What it says is not what a snapshot says.
    #[error("is damaged: {}", shown(.0))]
    Content(serde_json::Error),
}

/// Why a snapshot is not restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// A descriptor is not one to restore from.
    #[error("{option} {number}: expected {expected}")]
    File {
        /// The option of the command line.
        option: &'static str,
        /// The descriptor's number.
        number: i32,
        /// What would be right.
        expected: &'static str,
    },
    /// The memory is not what the configuration says.
    #[error(
        "--restore-memory: {found} bytes: expected {expected}, as machine-config.mem_size_mib says"
    )]
    Memory {
        /// The length of the file.
        found: u64,
        /// The machine's.
        expected: u64,
    },
    /// Memory that can't come from a file.
    #[error("machine-config.huge_pages: expected \"None\" with --restore-memory")]
    HugePages,
    /// It can't be read.
    #[error("--restore-state: {0}")]
    Snapshot(#[from] SnapshotError),
    /// Something is not as it was when the snapshot was made.
    #[error("--restore-state: {what}: was {saved} when the snapshot was made, is {here} here")]
    Differs {
        /// What.
        what: String,
        /// In the snapshot.
        saved: String,
        /// In this machine, or on this host.
        here: String,
    },
    /// A device does not take its state.
    #[error("--restore-state: {name}: {error}")]
    Device {
        /// As the snapshot calls it.
        name: String,
        /// Why.
        error: DeviceError,
    },
    /// A device's state is of another kind.
    #[error("--restore-state: {name}: {}", shown(error))]
    Content {
        /// As the snapshot calls it.
        name: String,
        /// Why.
        error: serde_json::Error,
    },
    /// KVM does not take a part of it.
    #[error("--restore-state: {0}")]
    Kvm(#[from] KvmError),
}

/// No more of a file's words is shown, in characters.
const SHOWN: usize = 200;

/// What comes from a file, for a person: cut short, and without what a terminal obeys.
pub fn shown(text: impl ToString) -> String {
    let escape = |char: char| match char.is_control() {
        true => char.escape_default().to_string(),
        false => char.to_string(),
    };
    text.to_string().chars().take(SHOWN).map(escape).collect()
}

impl RestoreError {
    /// Refuses what is not the same as it was.
    pub fn unless_same<T: PartialEq + ToString>(what: &str, saved: T, here: T) -> Result<(), Self> {
        match saved == here {
            true => Ok(()),
            false => Err(RestoreError::Differs {
                what: what.to_owned(),
                saved: shown(saved),
                here: here.to_string(),
            }),
        }
    }
}
