//! The disk for what a container writes.

use std::path::PathBuf;
use std::time::Duration;

use super::folders::Folders;
use crate::container::Container;
use crate::vm::{Scratch, VmError, keep};

/// How long a guest may take to write to a disk that is kept.
pub const FAREWELL: Duration = Duration::from_secs(30);

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
            None => Self::None,
            Some(size) if config.auto_remove && !container.scratch_path().exists() => {
                Self::Nameless(Scratch::new(&folders.cache()?, size)?)
            }
            Some(size) => Self::kept(container, size)?,
        })
    }

    /// The container's, to leave something on it that is there in its next run, also when that is its only one.
    pub fn to_write(container: &Container) -> Result<Self, VmError> {
        container
            .config()
            .plan
            .vm
            .scratch
            .map_or(Ok(Self::None), |size| Self::kept(container, size))
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
