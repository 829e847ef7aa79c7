//! Descriptors that whoever starts the VM hands over on the command line: a snapshot's files, and the control socket.

use std::fs::File;
use std::io;
use std::os::fd::RawFd;

use rustix::fs::{
    FileType, FlockOperation, OFlags, SealFlags, fcntl_get_seals, fcntl_getfl, flock,
};
use rustix::process::geteuid;

use super::shared::is_ours_alone;
use crate::jail::Inherited;
use crate::snapshot::RestoreError;

/// The numbers of the descriptors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Handed {
    /// The socket by which the VM is held, let go on, and saved.
    pub control: Option<RawFd>,
    /// A snapshot's state and memory.
    pub snapshot: Option<(RawFd, RawFd)>,
}

impl Handed {
    /// All of them.
    pub fn descriptors(&self) -> impl Iterator<Item = RawFd> {
        let files = self.snapshot.map(|(state, memory)| [state, memory]);
        self.control.into_iter().chain(files.into_iter().flatten())
    }
}

/// A snapshot's files.
pub struct SnapshotFiles {
    /// All but the memory.
    pub state: File,
    /// The memory.
    pub memory: File,
}

impl SnapshotFiles {
    /// Takes them from what was inherited. What is in them is the guest and all that it knows: nobody else may be able to
    /// change that.
    pub fn take(
        (state, memory): &(RawFd, RawFd),
        inherited: &mut Inherited,
    ) -> Result<SnapshotFiles, RestoreError> {
        let mut take = |option, number: RawFd| {
            let refuse = |expected| RestoreError::File { option, number, expected };
            let file = inherited.take(number).map(File::from);
            let file = file.ok_or(refuse("a descriptor that this program inherits"))?;
            check(&file)
                .map_err(|_| refuse(FILE))?
                .map_or(Ok(file), |expected| Err(refuse(expected)))
        };
        Ok(SnapshotFiles {
            state: take("--restore-state", *state)?,
            memory: take("--restore-memory", *memory)?,
        })
    }
}

const FILE: &str = "a file that is open for reading";
const OURS: &str = "a file to which nobody but this user and root can write";
const UNLOCKED: &str = "a file that nobody has locked to write to it";

/// What would be right, if the file is not.
fn check(file: &File) -> io::Result<Option<&'static str>> {
    let metadata = file.metadata()?;
    let is_file = FileType::from_raw_mode(mode(&metadata)).is_file();
    if !is_file || fcntl_getfl(file)? & OFlags::RWMODE == OFlags::WRONLY {
        return Ok(Some(FILE));
    }
    // A memfd may be everybody's, and have nobody who can write to it any more.
    let is_sealed = fcntl_get_seals(file).is_ok_and(|seals| seals.contains(SealFlags::WRITE));
    if !is_sealed && !is_ours_alone(&metadata, geteuid().as_raw()) {
        return Ok(Some(OURS));
    }
    // As long as it is mapped, the mapping keeps the lock.
    let is_locked = flock(file, FlockOperation::NonBlockingLockShared).is_err();
    Ok(is_locked.then_some(UNLOCKED))
}

fn mode(metadata: &std::fs::Metadata) -> u32 {
    std::os::unix::fs::MetadataExt::mode(metadata)
}
