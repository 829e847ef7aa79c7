//! All containers of a user.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::error::failed;
use super::lock::{Lock, NEW, OLD};
use super::record::{CONFIG, STATE};
use super::{Config, Container, ContainerError, Id, State, Tenure, check_name, invent_name, json};
use crate::network::NetworkMode;
use crate::network_names::Attachment;
use host::digest::Digest;
use host::file;
use host::text::in_one_line;

/// Where they are.
#[derive(Debug)]
pub struct Containers {
    folder: PathBuf,
}

impl Containers {
    /// Those of this user.
    pub fn open_default() -> Result<Self, ContainerError> {
        let data = host::home::folder("XDG_DATA_HOME", ".local/share");
        Self::open(data.ok_or(ContainerError::NoHome)?.join("containers"))
    }

    /// Those in a folder, which is made.
    pub fn open(folder: PathBuf) -> Result<Self, ContainerError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        made.map_err(failed("make", &folder))?;
        Ok(Self { folder })
    }

    /// Where they are.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
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

    /// The one with this name, this ID, or an ID that starts so: in this order, as docker's. A `/` in front, as `inspect` shows
    /// names, is left out.
    pub fn find(&self, text: &str) -> Result<Container, ContainerError> {
        let text = text.strip_prefix('/').unwrap_or(text);
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
        let name = name.strip_prefix('/').unwrap_or(name);
        check_name(name).map_err(ContainerError::Name)?;
        let _lock = self.lock()?;
        is_free(&self.folders()?, name)?;
        container.change(|config| config.name = name.to_owned())
    }

    /// Puts one that does not run on these networks and no others, of whatever kind.
    pub(crate) fn set_networks(
        &self,
        container: &Container,
        _tenure: &Tenure,
        networks: Vec<Attachment>,
    ) -> Result<(), ContainerError> {
        let _lock = self.lock()?;
        container.change(|config| {
            config.networks = networks;
            config.plan.container.network.mode = NetworkMode::Names;
        })
    }

    /// Removes one. Its lock is given up with its files.
    pub fn remove(&self, container: &Container, tenure: Tenure) -> Result<(), ContainerError> {
        self.remove_folder(container.id(), tenure, self.lock()?)
    }

    /// Removes one that can't be read, by its ID or an unambiguous start of it. False: there is none.
    pub fn remove_damaged(&self, text: &str) -> Result<bool, ContainerError> {
        let lock = self.lock()?;
        let mut found = None;
        for id in self.ids()?.into_iter().filter(|id| id.as_str().starts_with(text)) {
            if self.open_one(&id).is_err() && found.replace(id).is_some() {
                return Err(ContainerError::Ambiguous(text.escape_debug().to_string()));
            }
        }
        let Some(id) = found.filter(|_| !text.is_empty()) else { return Ok(false) };
        let tenure = Tenure::take(&self.folder.join(id.as_str()), &lock)?;
        let tenure = tenure.ok_or_else(|| ContainerError::Running(id.short().to_owned()))?;
        self.remove_folder(&id, tenure, lock).map(|()| true)
    }

    fn remove_folder(&self, id: &Id, tenure: Tenure, lock: Lock) -> Result<(), ContainerError> {
        let folder = self.folder.join(id.as_str());
        let old = self.folder.join(format!("{OLD}{id}"));
        file::rename_folder(&folder, &old).map_err(failed("remove", &folder))?;
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
        let mut all = Vec::new();
        for id in self.ids()? {
            match self.open_one(&id) {
                Ok(container) => all.push(container),
                // Removed meanwhile.
                Err(_) if !self.folder.join(id.as_str()).exists() => {}
                Err(error) => {
                    let why = in_one_line(&error);
                    log::warn!("{why}: bulkhead rm {} removes the container", id.short())
                }
            }
        }
        Ok(all)
    }

    fn ids(&self) -> Result<Vec<Id>, ContainerError> {
        let entries = fs::read_dir(&self.folder).map_err(failed("read", &self.folder))?;
        let mut ids = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed("read", &self.folder))?;
            ids.extend(Id::try_from(entry.file_name().to_string_lossy().into_owned()));
        }
        Ok(ids)
    }

    fn open_one(&self, id: &Id) -> Result<Container, ContainerError> {
        let folder = self.folder.join(id.as_str());
        let container = Container::open(folder.clone())?;
        if container.id() != id {
            let problem = "it is another container's".to_owned();
            return Err(ContainerError::Damaged { path: folder.join(CONFIG), problem });
        }
        Ok(container)
    }

    /// What others left half done is swept away.
    fn lock(&self) -> Result<Lock, ContainerError> {
        let lock = Lock::wait(&self.folder)?;
        lock.sweep(&self.folder);
        Ok(lock)
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
