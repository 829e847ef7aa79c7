//! The lock on all containers.

use std::fs::{self, File};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use super::ContainerError;
use super::error::failed;
use host::file;

/// The start of the name of a folder that is being made.
pub const NEW: &str = ".new-";
/// And of one that is being removed.
pub const OLD: &str = ".old-";

/// Whoever has this makes, renames or removes a container, or takes one.
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Waits for it.
    pub fn wait(folder: &Path) -> Result<Self, ContainerError> {
        let path = folder.join(".lock");
        let mut options = File::options();
        let file = options.write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(failed("open", &path))?;
        flock(&file, FlockOperation::LockExclusive)
            .map_err(|error| failed("lock", &path)(error.into()))?;
        Ok(Self { _file: file })
    }

    /// Removes what others left half made or half removed. What can't be removed now can be next time.
    pub fn sweep(&self, folder: &Path) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with(NEW) || name.starts_with(OLD) {
                let _ = file::remove_folder(&entry.path());
            }
        }
    }
}
