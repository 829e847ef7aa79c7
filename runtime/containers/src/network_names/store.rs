//! All networks of a user, as files.
//!
//! ```text
//!   $XDG_DATA_HOME/bulkhead/networks/
//!     .lock              held while one is made, removed or leased from
//!     ID.json            what a network is, and who has which of its addresses
//!     joined/ID.json     what netavark was told of a container that is on networks
//!     ….new              one that is being written
//! ```

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::choose::NewNetwork;
use super::definition::Network;
use super::error::NetworkError;
use super::host::{HostNetwork, remove_link};
use super::lease::Leases;
use super::members::{in_use, shown, users};
use crate::container::{ContainerError, Containers, Id, Lock, json};
use host::file;
use host::text::in_one_line;

/// Where they are.
#[derive(Clone, Debug)]
pub struct Networks {
    folder: PathBuf,
}

/// A network's file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    pub network: Network,
    #[serde(default)]
    pub leases: Leases,
}

impl Networks {
    /// Those of this user.
    pub fn open_default() -> Result<Self, NetworkError> {
        Self::open(Self::default_folder().ok_or(NetworkError::NoHome)?)
    }

    /// Where those are, if there is a place for them.
    pub fn default_folder() -> Option<PathBuf> {
        Some(host::home::folder("XDG_DATA_HOME", ".local/share")?.join("networks"))
    }

    /// Those in a folder, which is made.
    pub fn open(folder: PathBuf) -> Result<Self, NetworkError> {
        let joined = folder.join("joined");
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&joined);
        made.map_err(failed("make", &joined))?;
        Ok(Self { folder })
    }

    /// Makes one that gets along with all others and with the host.
    pub fn create(&self, new: NewNetwork, host: &HostNetwork) -> Result<Network, NetworkError> {
        let _lock = self.lock()?;
        let others: Vec<Network> =
            self.records()?.into_iter().map(|record| record.network).collect();
        let network = new.choose(&others, host)?;
        self.write(&Record { network: network.clone(), leases: Leases::default() })?;
        Ok(network)
    }

    /// All, by name. What is damaged is complained about, and left out.
    pub fn list(&self) -> Result<Vec<Network>, NetworkError> {
        let mut all: Vec<Network> =
            self.records()?.into_iter().map(|record| record.network).collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(all)
    }

    /// The one with this name, this ID, or an ID that starts so: in this order, as docker's.
    pub fn find(&self, text: &str) -> Result<Network, NetworkError> {
        Ok(self.find_record(text)?.network)
    }

    /// Who has which of a network's addresses.
    pub fn leases(&self, network: &Network) -> Result<Leases, NetworkError> {
        Ok(self.find_record(network.id.as_str())?.leases)
    }

    pub(super) fn find_record(&self, text: &str) -> Result<Record, NetworkError> {
        let mut all = self.records()?;
        let by_name = all.iter().position(|record| record.network.name == text);
        let by_id = || all.iter().position(|record| record.network.id.as_str() == text);
        if let Some(found) = by_name.or_else(by_id) {
            return Ok(all.swap_remove(found));
        }
        let starts =
            |record: &Record| !text.is_empty() && record.network.id.as_str().starts_with(text);
        let mut starting = all.into_iter().filter(starts);
        let shown = || shown(text);
        match (starting.next(), starting.next()) {
            (Some(record), None) => Ok(record),
            (Some(_), Some(_)) => Err(NetworkError::Ambiguous(shown())),
            (None, _) => Err(NetworkError::NotFound(shown())),
        }
    }

    /// Removes one, with its bridge if it has been left.
    pub fn remove(&self, network: &Network, containers: &Containers) -> Result<(), NetworkError> {
        let _lock = self.lock()?;
        let containers = containers.list()?;
        let users = users(network, &containers);
        match users.is_empty() {
            true => self.remove_locked(network),
            false => Err(in_use(network, &users)),
        }
    }

    /// Removes all that no container is on and that `is_wanted`; those.
    pub fn prune(
        &self,
        containers: &Containers,
        is_wanted: impl Fn(&Network) -> bool,
    ) -> Result<Vec<Network>, NetworkError> {
        let _lock = self.lock()?;
        let (containers, mut pruned) = (containers.list()?, Vec::new());
        for network in self.list()? {
            if is_wanted(&network) && users(&network, &containers).is_empty() {
                self.remove_locked(&network)?;
                pruned.push(network);
            }
        }
        Ok(pruned)
    }

    fn remove_locked(&self, network: &Network) -> Result<(), NetworkError> {
        let path = self.path(&network.id);
        match file::remove(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(NetworkError::NotFound(network.name.clone()));
            }
            removed => removed.map_err(failed("remove", &path))?,
        }
        remove_bridge(network);
        Ok(())
    }

    /// Changes who has which addresses of a network.
    pub(super) fn change<T>(
        &self,
        network: &Id,
        change: impl FnOnce(&mut Record) -> Result<T, NetworkError>,
    ) -> Result<T, NetworkError> {
        let _lock = self.lock()?;
        let mut record = self.find_record(network.as_str())?;
        let before = record.leases.clone();
        let result = change(&mut record)?;
        if record.leases != before {
            self.write(&record)?;
        }
        Ok(result)
    }

    /// Takes back what those have whom `judge` names: it is made when nobody else can lease.
    pub(super) fn sweep_leases<J: Fn(&Id) -> bool>(
        &self,
        judge: impl FnOnce() -> Result<J, NetworkError>,
    ) -> Result<(), NetworkError> {
        let _lock = self.lock()?;
        let judge = judge()?;
        for mut record in self.records()? {
            if record.leases.sweep(&judge) {
                self.write(&record)?;
            }
        }
        Ok(())
    }

    pub(super) fn records(&self) -> Result<Vec<Record>, NetworkError> {
        let mut all = Vec::new();
        for id in ids(&self.folder)? {
            match self.read(&id) {
                Ok(record) => all.push(record),
                // Removed meanwhile.
                Err(_) if !self.path(&id).exists() => {}
                Err(error) => {
                    log::warn!("{}: remove the file to be rid of the network", in_one_line(&error))
                }
            }
        }
        Ok(all)
    }

    fn read(&self, id: &Id) -> Result<Record, ContainerError> {
        let path = self.path(id);
        let record: Record = json::read(&path)?;
        let checked = match record.network.id == *id {
            true => record.network.check(),
            false => Err("it is another network's".to_owned()),
        };
        match checked.and_then(|()| record.leases.check(&record.network.ranges)) {
            Ok(()) => Ok(record),
            Err(problem) => Err(ContainerError::Damaged { path, problem }),
        }
    }

    fn write(&self, record: &Record) -> Result<(), NetworkError> {
        Ok(json::write(&self.path(&record.network.id), record)?)
    }

    fn path(&self, id: &Id) -> PathBuf {
        self.folder.join(format!("{id}.json"))
    }

    /// The folder.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What others left half written is swept away.
    pub(super) fn lock(&self) -> Result<Lock, NetworkError> {
        let lock = Lock::wait(&self.folder)?;
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            if entry.file_name().as_encoded_bytes().ends_with(b".json.new") {
                let _ = file::remove(&entry.path());
            }
        }
        Ok(lock)
    }
}

/// The names of files in a folder that are IDs.
pub(super) fn ids(folder: &Path) -> Result<Vec<Id>, NetworkError> {
    let mut ids = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed("read", folder))? {
        let name = entry.map_err(failed("read", folder))?.file_name();
        let name = name.to_string_lossy();
        ids.extend(name.strip_suffix(".json").and_then(|id| Id::try_from(id.to_owned()).ok()));
    }
    Ok(ids)
}

/// An error about one of our files.
pub(super) fn failed(
    action: &'static str,
    path: &Path,
) -> impl FnOnce(io::Error) -> ContainerError {
    let path = path.to_owned();
    move |source| ContainerError::File { action, path, source }
}

/// What a container that was killed, or a set-up that failed half-way, has left of a network: a bridge without ports. Its name
/// is ours alone.
pub(super) fn remove_bridge(network: &Network) {
    let Ok(host) = HostNetwork::read() else { return };
    if let Some(bridge) = host.link(&network.interface)
        && host.bridges.contains(&bridge)
        && !host.has_ports(bridge)
        && let Err(error) = remove_link(bridge)
    {
        log::warn!("cannot remove the interface {}: {error}", network.interface);
    }
}

#[cfg(test)]
mod tests;
