//! Where a supervisor finds what it needs. Whoever starts one says so.

use std::path::PathBuf;

use host::cache::{Cache, CacheError};

use crate::container::Containers;
use crate::network_names::{NetworkError, Networks};

/// The folders of whose container it is.
#[derive(Debug)]
pub struct Folders {
    /// All containers, of which it has one.
    pub containers: Containers,
    /// Where the cache is, if there is a place for it. Only a disk that goes with the container needs it.
    pub cache: Option<PathBuf>,
    /// Where networks of names are, if there is a place for them.
    pub networks: Option<PathBuf>,
}

impl Folders {
    /// The cache, opened.
    pub(super) fn cache(&self) -> Result<Cache, CacheError> {
        Cache::open(self.cache.clone().ok_or(CacheError::NoHome)?)
    }

    /// The networks, opened.
    pub(super) fn networks(&self) -> Result<Networks, NetworkError> {
        Networks::open(self.networks.clone().ok_or(NetworkError::NoHome)?)
    }
}
