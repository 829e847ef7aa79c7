//! Where one VMM after another finds what it needs, and leaves nothing.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::error::{Doing, Error};
use crate::run::bare;

/// A folder with all that a VMM opens, used by one at a time.
pub struct Place {
    /// Removed with this.
    folder: tempfile::TempDir,
    /// The program.
    pub vmm: PathBuf,
    kernel: PathBuf,
}

impl Place {
    /// Makes the folder, with a disk, and an echo for the guests' socket device.
    pub fn new(vmm: &Path, kernel: &Path) -> Result<Place, Error> {
        let folder = tempfile::tempdir().doing(|| "make a temporary folder".into())?;
        bare::furnish(folder.path())?;
        Ok(Place { folder, vmm: vmm.to_owned(), kernel: kernel.to_owned() })
    }

    /// Makes it ready for a machine of so many processors with this command line.
    pub fn prepare(&self, vcpus: u32, words: &str) -> Result<(), Error> {
        let doing = || "set up the bare guest".to_owned();
        fs::create_dir(self.runtime()).doing(doing)?;
        let config = bare::configuration(self.folder.path(), &self.kernel, vcpus, words);
        fs::write(self.config(), config.to_string()).doing(doing)
    }

    /// The VMM's configuration.
    pub fn config(&self) -> PathBuf {
        self.folder.path().join("config.json")
    }

    /// The folder that it removes at its end.
    pub fn runtime(&self) -> PathBuf {
        self.folder.path().join("runtime")
    }

    /// The socket that it makes, and removes at its end.
    pub fn vsock(&self) -> PathBuf {
        self.folder.path().join("vsock")
    }

    fn stderr(&self) -> PathBuf {
        self.folder.path().join("stderr")
    }

    /// An empty file for what it has to say.
    pub fn new_stderr(&self) -> Result<File, Error> {
        File::create(self.stderr()).doing(|| "make a file for a VMM's words".into())
    }

    /// Takes away what the VMM has left, and says what that was and what it said.
    pub fn clear(&self) -> Result<Left, Error> {
        let doing = || "clear up after a VMM".to_owned();
        let left = Left {
            runtime: self.runtime().exists(),
            vsock: self.vsock().exists(),
            stderr: fs::read_to_string(self.stderr()).doing(doing)?,
        };
        if left.runtime {
            fs::remove_dir_all(self.runtime()).doing(doing)?;
        }
        if left.vsock {
            fs::remove_file(self.vsock()).doing(doing)?;
        }
        Ok(left)
    }
}

/// What a VMM has left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// Its runtime folder.
    pub runtime: bool,
    /// Its socket.
    pub vsock: bool,
    /// What it said on stderr.
    pub stderr: String,
}
