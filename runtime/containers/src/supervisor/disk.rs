//! The disk for what a container writes.

use std::path::PathBuf;
use std::time::Duration;

use super::folders::Folders;
use crate::container::Container;
use crate::vm::{Scratch, VmError, keep};

/// How long a guest may take to write to a disk that is kept.
pub const FAREWELL: Duration = Duration::from_secs(30);

/// The size of the disk for what a container writes that stays when it has ended. It takes only what is written.
pub const KEPT: u64 = 16 << 30;

/// What a container has of it.
pub enum Disk {
    /// It writes to memory, or not at all.
    None,
    /// Gone with the run.
    Nameless(Scratch),
    /// The container's own.
    Kept(PathBuf),
}

impl Disk {
    /// The container's, which is made for its first run. One that is removed with its end has none that stays, unless files
    /// were given to it before its start.
    pub fn of(container: &Container, folders: &Folders) -> Result<Self, VmError> {
        let config = container.config();
        Ok(match config.plan.vm.scratch {
            _ if config.auto_remove && container.scratch_path().exists() => {
                Self::Kept(container.scratch_path())
            }
            Some(size) if config.auto_remove => {
                Self::Nameless(Scratch::new(&folders.cache()?, size)?)
            }
            Some(size) => Self::kept(container, size)?,
            None => Self::None,
        })
    }

    /// The container's, to leave something on it that is there in its next run, also when that is its only one.
    pub fn to_write(container: &Container) -> Result<Self, VmError> {
        let plan = &container.config().plan;
        Ok(match plan.vm.scratch {
            Some(size) => Self::kept(container, size)?,
            None if plan.container.setting.read_only => Self::None,
            None => Self::kept(container, KEPT)?,
        })
    }

    fn kept(container: &Container, size: u64) -> Result<Self, VmError> {
        let path = container.scratch_path();
        keep(&path, size)?;
        Ok(Self::Kept(path))
    }

    /// Where it is.
    pub fn path(&self) -> Option<PathBuf> {
        match self {
            Self::None => None,
            Self::Nameless(scratch) => Some(scratch.path()),
            Self::Kept(path) => Some(path.clone()),
        }
    }

    /// Whether what is written is there in the next run.
    pub fn stays(&self) -> bool {
        matches!(self, Self::Kept(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::tests::sample::draft;
    use crate::container::{Config, Containers};

    #[test]
    fn one_that_is_removed_with_its_end_has_a_disk_once_files_are_given_to_it() {
        let work = tempfile::tempdir().unwrap();
        let open = || Containers::open(work.path().join("containers")).unwrap();
        let (containers, folders) =
            (open(), Folders { containers: open(), cache: None, networks: None });
        let job = containers.create(Config { auto_remove: true, ..draft("job") }).unwrap();
        // Guest memory, for which nothing has to be installed.
        assert!(matches!(Disk::of(&job, &folders), Ok(Disk::None)));
        std::fs::write(job.scratch_path(), "").unwrap();
        assert!(Disk::of(&job, &folders).unwrap().stays());
        assert!(Disk::to_write(&job).unwrap().stays());
        let mut closed = draft("closed");
        closed.plan.container.setting.read_only = true;
        let closed = containers.create(closed).unwrap();
        assert!(!Disk::to_write(&closed).unwrap().stays());
    }
}
