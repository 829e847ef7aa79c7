//! Opening the files behind disks, with a lock: any number of VMs may read a file, or one may
//! write it. The lock belongs to the open file, so it ends with the process, however that ends: when the process is killed
//! that waits outside of a VM's jail, some milliseconds after it.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::limits::DISK_UNLOCK;

/// How often a locked disk is looked at.
const DISK_LOOK: Duration = Duration::from_millis(5);

/// Why a disk's file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// It could not be opened.
    #[error("drive {id:?}: {}: cannot open it for {access}: {error}", file.display())]
    Open {
        id: String,
        file: PathBuf,
        /// Reading, or reading and writing.
        access: &'static str,
        /// What the system said.
        error: io::Error,
    },
    /// Another VM has it.
    #[error(
        "drive {id:?}: {}: locked by another process: a disk can be written by one VM, or read by several with \
         is_read_only true", file.display()
    )]
    Locked { id: String, file: PathBuf },
    /// Its bytes can't be a disk.
    #[error("drive {id:?}: {}: {problem}", file.display())]
    Unusable {
        id: String,
        file: PathBuf,
        /// What is wrong, and what would be right.
        problem: String,
    },
}

/// Opens and locks a disk's file.
pub fn open(id: &str, path: &Path, read_only: bool) -> Result<File, DiskError> {
    let (access, operation) = match read_only {
        true => ("reading", FlockOperation::NonBlockingLockShared),
        false => ("reading and writing", FlockOperation::NonBlockingLockExclusive),
    };
    let open_error =
        |error| DiskError::Open { id: id.to_owned(), file: path.to_owned(), access, error };
    let file = OpenOptions::new().read(true).write(!read_only).open(path).map_err(open_error)?;
    let began = Instant::now();
    loop {
        match flock(&file, operation) {
            Ok(()) => return Ok(file),
            Err(Errno::WOULDBLOCK) if began.elapsed() < DISK_UNLOCK => sleep(DISK_LOOK),
            Err(Errno::WOULDBLOCK) => {
                return Err(DiskError::Locked { id: id.to_owned(), file: path.to_owned() });
            }
            Err(error) => return Err(open_error(error.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_share_a_disk_and_a_writer_has_it_alone() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path();
        let first = open("a", path, true).unwrap();
        let second = open("b", path, true).unwrap();
        let text = open("c", path, false).unwrap_err().to_string();
        assert!(text.starts_with("drive \"c\":") && text.contains("locked"), "{text}");
        drop((first, second));
        let _writer = open("d", path, false).unwrap();
        assert!(matches!(open("e", path, true), Err(DiskError::Locked { .. })));
    }

    #[test]
    fn a_missing_disk_is_named() {
        let text = open("root", Path::new("/nowhere/disk"), true).unwrap_err().to_string();
        assert!(text.contains("/nowhere/disk") && text.contains("No such file"), "{text}");
    }
}
