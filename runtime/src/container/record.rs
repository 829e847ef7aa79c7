//! One container's files.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Config, ContainerError, Id, State, now};
use crate::store::file::Aside;

pub(super) const CONFIG: &str = "config.json";
pub(super) const STATE: &str = "state.json";
pub(super) const LOCK: &str = "lock";

/// A container that is there, or was a moment ago.
#[derive(Clone, Debug)]
pub struct Container {
    folder: PathBuf,
    config: Config,
}

/// The right to change a container's state, which one process has at a time. The kernel takes it back when the process ends.
#[derive(Debug)]
pub struct Tenure {
    folder: PathBuf,
    _lock: File,
}

impl Container {
    /// The one in this folder.
    pub(super) fn open(folder: PathBuf) -> Result<Self, ContainerError> {
        let config = read(&folder.join(CONFIG))?;
        Ok(Self { folder, config })
    }

    /// Its identity.
    pub fn id(&self) -> &Id {
        &self.config.id
    }

    /// What it is.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Where it is in its life. Of one that nobody has any more this says that it has ended, and so do its files from now
    /// on.
    pub fn state(&self) -> Result<State, ContainerError> {
        let path = self.folder.join(STATE);
        let state: State = read(&path)?;
        if state.control.is_none() && !state.status.is_live() {
            return Ok(state);
        }
        match self.try_tenure()? {
            // Whoever has it writes the truth.
            None => Ok(state),
            Some(mut tenure) => {
                // It may have ended between the look and the lock.
                let state = read::<State>(&path)?.abandoned(now());
                tenure.set(&state)?;
                Ok(state)
            }
        }
    }

    /// Takes it for this process.
    pub fn tenure(&self) -> Result<Tenure, ContainerError> {
        self.try_tenure()?.ok_or_else(|| ContainerError::Running(self.config.name.clone()))
    }

    fn try_tenure(&self) -> Result<Option<Tenure>, ContainerError> {
        let path = self.folder.join(LOCK);
        let lock = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(ContainerError::NotFound(self.config.name.clone()));
            }
            lock => lock.map_err(failed("open", &path))?,
        };
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            // Removed between the two steps: what was locked is not there any more.
            Ok(()) if !path.exists() => Err(ContainerError::NotFound(self.config.name.clone())),
            Ok(()) => Ok(Some(Tenure { folder: self.folder.clone(), _lock: lock })),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(failed("lock", &path)(error.into())),
        }
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The disk with what it has written.
    pub fn scratch_path(&self) -> PathBuf {
        self.folder.join("scratch.ext4")
    }

    /// Its log's present file.
    pub fn log_path(&self) -> PathBuf {
        self.folder.join("log.json")
    }

    /// Gives it another name, which nobody else has (the caller sees to that).
    pub(super) fn set_name(&self, name: &str) -> Result<(), ContainerError> {
        let config = Config { name: name.to_owned(), ..self.config.clone() };
        write(&self.folder.join(CONFIG), &config)
    }
}

impl Tenure {
    /// Writes the state down.
    pub fn set(&mut self, state: &State) -> Result<(), ContainerError> {
        write(&self.folder.join(STATE), state)
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T, ContainerError> {
    let bytes = fs::read(path).map_err(failed("read", path))?;
    serde_json::from_slice(&bytes)
        .map_err(|source| ContainerError::Damaged { path: path.to_owned(), source })
}

/// Replaces a file whole.
pub(super) fn write(path: &Path, content: &impl Serialize) -> Result<(), ContainerError> {
    let save = || {
        let mut aside = Aside::new(path.parent().unwrap_or(Path::new("/")))?;
        serde_json::to_writer(&mut aside.file, content)?;
        aside.commit(path)
    };
    save().map_err(failed("write", path))
}

pub(super) fn failed(
    action: &'static str,
    path: &Path,
) -> impl FnOnce(io::Error) -> ContainerError {
    let path = path.to_owned();
    move |source| ContainerError::File { action, path, source }
}
