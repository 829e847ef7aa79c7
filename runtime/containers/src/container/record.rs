//! One container's files.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::error::failed;
use super::lock::Lock;
use super::{Config, ContainerError, Id, State, json, now};
use crate::network::InterfaceUse;
use crate::vm::{RunFolder, VmCgroup};

pub(super) const CONFIG: &str = "config.json";
pub(super) const STATE: &str = "state.json";
const LOCK: &str = "lock";
const INTERFACES: &str = "interfaces.json";

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
        let path = folder.join(CONFIG);
        let config: Config = json::read(&path)?;
        config.check().map_err(|problem| ContainerError::Damaged { path, problem })?;
        Ok(Self { folder, config })
    }

    /// The same, as it is now.
    pub(crate) fn read_again(&self) -> Result<Self, ContainerError> {
        Self::open(self.folder.clone()).map_err(|error| self.gone(error))
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
        let state = self.read_state()?;
        if state.control.is_none() && !state.status.is_live() {
            return Ok(state);
        }
        let lock = self.lock()?;
        match self.try_tenure(&lock)? {
            // Whoever has it writes the truth, perhaps since the look.
            None => self.read_state(),
            Some(mut tenure) => self.settle(&mut tenure),
        }
    }

    /// Takes it for this process.
    pub fn tenure(&self) -> Result<Tenure, ContainerError> {
        let lock = self.lock()?;
        let mut tenure = self
            .try_tenure(&lock)?
            .ok_or_else(|| ContainerError::Running(self.config.name.clone()))?;
        match self.settle(&mut tenure) {
            // It can be removed all the same.
            Ok(_) | Err(ContainerError::Damaged { .. }) => Ok(tenure),
            Err(error) => Err(error),
        }
    }

    /// Writes down its end, and gives it back. Whoever reads of the end and wants to take it waits for the lock until that is
    /// done.
    pub(crate) fn give_back(
        &self,
        mut tenure: Tenure,
        state: &State,
    ) -> Result<(), ContainerError> {
        let _lock = self.lock()?;
        let result = tenure.set(state);
        drop(tenure);
        result
    }

    /// What a supervisor that was killed left is put right.
    fn settle(&self, tenure: &mut Tenure) -> Result<State, ContainerError> {
        let state = self.read_state()?;
        let settled = state.clone().abandoned(now());
        if settled != state {
            tenure.set(&settled)?;
            // Its VMM may have had no time to remove its files.
            RunFolder::sweep();
            VmCgroup::sweep();
        }
        Ok(settled)
    }

    /// Nobody tries to take a container, if only for a moment, without this lock: so whoever has one is its supervisor.
    fn try_tenure(&self, lock: &Lock) -> Result<Option<Tenure>, ContainerError> {
        Tenure::take(&self.folder, lock).map_err(|error| self.gone(error))
    }

    fn lock(&self) -> Result<Lock, ContainerError> {
        Lock::wait(self.folder.parent().unwrap_or(Path::new("/")))
    }

    fn read_state(&self) -> Result<State, ContainerError> {
        json::read(&self.folder.join(STATE)).map_err(|error| self.gone(error))
    }

    /// What to say of an error about a container that may have been removed meanwhile.
    fn gone(&self, error: ContainerError) -> ContainerError {
        match self.folder.exists() {
            true => error,
            false => ContainerError::NotFound(self.config.name.clone()),
        }
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The user whose it is.
    pub fn owner(&self) -> Result<u32, ContainerError> {
        let metadata = self.folder.metadata();
        let metadata = metadata.map_err(|error| self.gone(failed("look at", &self.folder)(error)));
        Ok(metadata?.uid())
    }

    /// What its network interfaces did in the life of its last VM, which has ended, if somebody has written that down.
    pub fn interfaces(&self) -> Result<Option<Vec<InterfaceUse>>, ContainerError> {
        let path = self.folder.join(INTERFACES);
        let read = || json::read(&path).map_err(|error| self.gone(error));
        path.exists().then(read).transpose()
    }

    /// Writes that down, if there are any.
    pub(crate) fn keep_interfaces(&self, did: &[InterfaceUse]) -> Result<(), ContainerError> {
        match did.is_empty() {
            true => Ok(()),
            false => json::write(&self.folder.join(INTERFACES), &did),
        }
    }

    /// It begins anew. What can't be removed is replaced at the end.
    pub(crate) fn forget_interfaces(&self) {
        let _ = std::fs::remove_file(self.folder.join(INTERFACES));
    }

    /// The disk with what it has written.
    pub(crate) fn scratch_path(&self) -> PathBuf {
        self.folder.join("scratch.ext4")
    }

    /// Its log's present file.
    pub fn log_path(&self) -> PathBuf {
        self.folder.join("log.json")
    }

    /// What its supervisor in the background complains about, and its console if that is wanted, of the last start: bounded by
    /// the options of its log.
    pub(crate) fn complaints_path(&self) -> PathBuf {
        self.folder.join("supervisor.log")
    }

    /// Changes what it is, as it is written now: others may have done so since it was read. The caller has the lock, and
    /// sees to it that nobody else has its name.
    pub(super) fn change(&self, change: impl FnOnce(&mut Config)) -> Result<(), ContainerError> {
        let path = self.folder.join(CONFIG);
        let write = || {
            let mut config: Config = json::read(&path)?;
            change(&mut config);
            json::write(&path, &config)
        };
        write().map_err(|error| self.gone(error))
    }

    /// Whether a process has it.
    pub fn is_held(&self) -> Result<bool, ContainerError> {
        let lock = self.lock()?;
        Ok(self.try_tenure(&lock)?.is_none())
    }
}

impl Tenure {
    /// Of the container in this folder, unless another process has it.
    pub(super) fn take(folder: &Path, _lock: &Lock) -> Result<Option<Self>, ContainerError> {
        let path = folder.join(LOCK);
        let mut options = File::options();
        let file = options.write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(failed("open", &path))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Self { folder: folder.to_owned(), _lock: file })),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(failed("lock", &path)(error.into())),
        }
    }

    /// Writes the state down.
    pub fn set(&mut self, state: &State) -> Result<(), ContainerError> {
        json::write(&self.folder.join(STATE), state)
    }
}
