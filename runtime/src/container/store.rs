//! All containers of a user.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use super::error::failed;
use super::lock::{Lock, NEW, OLD};
use super::record::{CONFIG, STATE};
use super::{Config, Container, ContainerError, Id, State, Tenure, check_name, invent_name, json};
use crate::digest::Digest;
use crate::file;

/// Where they are.
#[derive(Debug)]
pub struct Containers {
    folder: PathBuf,
}

impl Containers {
    /// Those of this user.
    pub fn open_default() -> Result<Self, ContainerError> {
        let data = crate::home::folder("XDG_DATA_HOME", ".local/share");
        Self::open(data.ok_or(ContainerError::NoHome)?.join("containers"))
    }

    /// Those in a folder, which is made.
    pub fn open(folder: PathBuf) -> Result<Self, ContainerError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        made.map_err(failed("make", &folder))?;
        Ok(Self { folder })
    }

    /// Makes one. Its ID and name are chosen here, unless it has a name.
    pub fn create(&self, mut config: Config) -> Result<Container, ContainerError> {
        let _lock = self.lock()?;
        let all = self.folders()?;
        match config.name.is_empty() {
            true => {
                let mut names = (0..).map(|attempt| invent_name(&config.id, attempt));
                let free = names.find(|name| all.iter().all(|other| other.config().name != *name));
                config.name = free.unwrap_or_default();
            }
            false => {
                check_name(&config.name).map_err(ContainerError::Name)?;
                is_free(&all, &config.name)?;
            }
        }
        let folder = self.folder.join(config.id.as_str());
        let wrong = |problem| ContainerError::Damaged { path: folder.join(CONFIG), problem };
        config.check().map_err(wrong)?;
        let aside = self.folder.join(format!("{NEW}{}", config.id));
        let make = || {
            file::make_folder(&aside).map_err(failed("make", &aside))?;
            json::write(&aside.join(CONFIG), &config)?;
            json::write(&aside.join(STATE), &State::default())?;
            file::rename_folder(&aside, &folder).map_err(failed("make", &folder))
        };
        if let Err(error) = make() {
            let _ = file::remove_folder(&aside);
            return Err(error);
        }
        Container::open(folder)
    }

    /// All, the newest first. What is damaged is complained about, and left out. One that was to remove itself and was killed
    /// before it could is removed now.
    pub fn list(&self) -> Result<Vec<Container>, ContainerError> {
        let mut all = Vec::new();
        for container in self.folders()? {
            if !self.is_forgotten(&container)? {
                all.push(container);
            }
        }
        all.sort_by_key(|container| std::cmp::Reverse(container.config().created));
        Ok(all)
    }

    /// The one with this name, this ID, or an ID that starts so: in this order, as docker's.
    pub fn find(&self, text: &str) -> Result<Container, ContainerError> {
        let all = self.list()?;
        let is_named = |container: &&Container| container.config().name == text;
        let is_it = |container: &&Container| container.id().as_str() == text;
        if let Some(container) = all.iter().find(is_named).or_else(|| all.iter().find(is_it)) {
            return Ok(container.clone());
        }
        let starts =
            |container: &&Container| !text.is_empty() && container.id().as_str().starts_with(text);
        let mut starting = all.iter().filter(starts);
        match (starting.next(), starting.next()) {
            (Some(container), None) => Ok(container.clone()),
            (Some(_), Some(_)) => Err(ContainerError::Ambiguous(text.escape_debug().to_string())),
            (None, _) => Err(ContainerError::NotFound(text.escape_debug().to_string())),
        }
    }

    /// The manifests of the images that they are made of, as far as those are in the store.
    pub fn manifests(&self) -> Result<Vec<Digest>, ContainerError> {
        Ok(self.list()?.iter().filter_map(|container| container.config().image.manifest).collect())
    }

    /// Gives one another name.
    pub fn rename(&self, container: &Container, name: &str) -> Result<(), ContainerError> {
        check_name(name).map_err(ContainerError::Name)?;
        let _lock = self.lock()?;
        is_free(&self.folders()?, name)?;
        container.set_name(name)
    }

    /// Removes one. Its lock is given up with its files.
    pub fn remove(&self, container: &Container, tenure: Tenure) -> Result<(), ContainerError> {
        let lock = self.lock()?;
        let old = self.folder.join(format!("{OLD}{}", container.id()));
        let renamed = file::rename_folder(container.folder(), &old);
        renamed.map_err(failed("remove", container.folder()))?;
        // What it has written may be large.
        drop((tenure, lock));
        file::remove_folder(&old).map_err(failed("remove", &old))
    }

    /// Whether it was to remove itself, and nobody is there to do it.
    fn is_forgotten(&self, container: &Container) -> Result<bool, ContainerError> {
        let was_started = |state: &State| state.started_at.is_some() || state.finished_at.is_some();
        // One that is removed at this moment is not there either.
        let Ok(state) = container.state() else { return Ok(!container.folder().exists()) };
        if !container.config().auto_remove || state.status.is_live() || !was_started(&state) {
            return Ok(false);
        }
        match container.tenure() {
            Ok(tenure) => self.remove(container, tenure).map(|()| true),
            // Its supervisor is about to.
            Err(_) => Ok(false),
        }
    }

    fn folders(&self) -> Result<Vec<Container>, ContainerError> {
        let entries = fs::read_dir(&self.folder).map_err(failed("read", &self.folder))?;
        let mut all = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed("read", &self.folder))?;
            if Id::try_from(entry.file_name().to_string_lossy().into_owned()).is_err() {
                continue;
            }
            match Container::open(entry.path()) {
                Ok(container) if entry.file_name() == OsStr::new(container.id().as_str()) => {
                    all.push(container);
                }
                Ok(_) => log::warn!("{}: its configuration is another's", entry.path().display()),
                // Removed meanwhile.
                Err(_) if !entry.path().exists() => {}
                Err(error) => log::warn!("{error}"),
            }
        }
        Ok(all)
    }

    /// What others left half done is swept away.
    fn lock(&self) -> Result<Lock, ContainerError> {
        let lock = Lock::wait(&self.folder)?;
        lock.sweep(&self.folder);
        Ok(lock)
    }

    /// The folder, for tests.
    #[cfg(test)]
    pub(super) fn folder(&self) -> &std::path::Path {
        &self.folder
    }
}

fn is_free(all: &[Container], name: &str) -> Result<(), ContainerError> {
    match all.iter().find(|other| other.config().name == name) {
        None => Ok(()),
        Some(other) => {
            Err(ContainerError::Taken { name: name.to_owned(), id: other.id().short().to_owned() })
        }
    }
}
