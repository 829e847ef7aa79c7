//! Layers: from a tar stream or a directory to a blob and an index in the cache.
//!
//! A layer is unpacked once. Its **blob** is one file with the data of all its files, each at a 4 KiB
//! boundary, so that a file system image can point into it and a guest's page cache can map it page by page.
//! Its **index** says what the entries are. Ownership, devices and attributes are only data in it: no root is
//! needed, and nothing is ever created on the host under a name that a layer gives.

mod blob;
mod entry;
mod index;
mod limits;
mod unpack;
mod walk;

use std::io;
use std::path::PathBuf;

pub use blob::PAGE;
pub(crate) use index::index_name;
pub use index::{IndexError, read_index, write_index};
pub use limits::{LimitError, Limits, Meter};
use thiserror::Error;
pub use unpack::unpack_tar;
pub(crate) use walk::{Walked, fingerprint, unpack_directory};

use crate::tar::TarError;
use crate::tree::{NameError, Tree, TreeError};

/// What a layer unpacks to, besides its blob.
#[derive(Debug)]
pub struct Layer {
    /// The entries.
    pub tree: Tree,
    /// The length of the blob.
    pub blob_len: u64,
}

/// Why a layer cannot be unpacked.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum LayerError {
    #[error(transparent)]
    Tar(#[from] TarError),
    #[error("entry '{entry}'")]
    Name { entry: String, source: NameError },
    #[error("hard link '{entry}' to '{target}'")]
    LinkName { entry: String, target: String, source: NameError },
    #[error("entry '{entry}'")]
    Tree { entry: String, source: TreeError },
    #[error("entry '{entry}'")]
    Limit { entry: String, source: LimitError },
    #[error(transparent)]
    ImageLimit(#[from] LimitError),
    #[error("it unpacks to more than {limit} bytes; set BULKHEAD_MAX_LAYER_SIZE to allow more")]
    TooLarge { limit: u64 },
    #[error("cut short: the end of the archive is not marked")]
    Unfinished,
    #[error("entry '{entry}': {reason}")]
    Refused { entry: String, reason: String },
    #[error("entry '{entry}': cannot read its data")]
    Read { entry: String, source: io::Error },
    #[error("cannot write the unpacked layer to the cache")]
    Write(#[source] io::Error),
    #[error("cannot read {path}")]
    Host { path: PathBuf, source: io::Error },
    #[error("{path} changed while it was read")]
    Changed { path: PathBuf },
}
