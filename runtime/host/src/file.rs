//! Changes to files that we keep, each of which happens whole or not at all.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// A file that is being written aside. Dropped before [`AtomicFile::commit`], it leaves nothing behind.
pub struct AtomicFile {
    /// The file to write.
    pub file: File,
    path: PathBuf,
    committed: bool,
}

impl AtomicFile {
    /// A new, empty file in `folder`.
    pub fn new(folder: &Path) -> io::Result<Self> {
        step()?;
        let (file, path) = tempfile::NamedTempFile::new_in(folder)?.keep()?;
        Ok(Self { file, path, committed: false })
    }

    /// An empty file at `path`, in place of what a dead process left there. The caller sees to it that no other process
    /// writes it.
    pub fn at(path: PathBuf) -> io::Result<Self> {
        step()?;
        let file = File::create(&path)?;
        Ok(Self { file, path, committed: false })
    }

    /// Make the file durable and give it its name, in place of a file that had it before.
    pub fn commit(mut self, path: &Path) -> io::Result<()> {
        commit(&self.file, &self.path, path)?;
        self.committed = true;
        Ok(())
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if !self.committed {
            let _ = remove(&self.path);
        }
    }
}

/// Make a file durable that is called `from`, and give it the name `to` in place of a file that had it before.
pub fn commit(file: &File, from: &Path, to: &Path) -> io::Result<()> {
    step()?;
    file.sync_all()?;
    step()?;
    fs::rename(from, to)?;
    step()?;
    to.parent().map_or(Ok(()), sync)
}

/// Remove a file.
pub fn remove(path: &Path) -> io::Result<()> {
    step()?;
    fs::remove_file(path)
}

/// Make a folder that only its owner can look into.
pub fn make_folder(path: &Path) -> io::Result<()> {
    step()?;
    fs::DirBuilder::new().mode(0o700).create(path)
}

/// Give a folder another name beside the one it has.
pub fn rename_folder(from: &Path, to: &Path) -> io::Result<()> {
    step()?;
    fs::rename(from, to)?;
    step()?;
    to.parent().map_or(Ok(()), sync)
}

/// Remove a folder with all that is in it, which another process may be doing as well.
pub fn remove_folder(path: &Path) -> io::Result<()> {
    let remove_all = || {
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            if !entry.file_type()?.is_dir() {
                remove(&entry.path())?;
            }
        }
        step()?;
        fs::remove_dir_all(path)
    };
    match remove_all() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Make a folder's names durable.
pub fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Each change of the disk goes through here, so that a test can let the process die before it.
fn step() -> io::Result<()> {
    #[cfg(any(test, feature = "testing"))]
    crash::step()?;
    Ok(())
}

/// A death that a test plans: from some step on, nothing changes the disk any more.
#[cfg(any(test, feature = "testing"))]
pub mod crash {
    use std::cell::Cell;
    use std::io;

    thread_local! {
        static LEFT: Cell<Option<u32>> = const { Cell::new(None) };
    }

    /// Die after so many more steps, or live on.
    pub fn plan(steps: Option<u32>) {
        LEFT.set(steps);
    }

    /// Whether the planned death has come.
    pub fn died() -> bool {
        LEFT.get() == Some(0)
    }

    /// Whether the process still lives, and one step less.
    pub fn step() -> io::Result<()> {
        match LEFT.get() {
            Some(0) => Err(io::Error::other("the process died")),
            Some(left) => {
                LEFT.set(Some(left - 1));
                Ok(())
            }
            None => Ok(()),
        }
    }
}
