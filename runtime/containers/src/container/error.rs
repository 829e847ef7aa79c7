//! What goes wrong with containers' files.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why a container is not found, or not changed.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum ContainerError {
    #[error("{path}: cannot {action} it")]
    File { action: &'static str, path: PathBuf, source: io::Error },
    #[error("{path}: {problem}")]
    Damaged { path: PathBuf, problem: String },
    #[error("no folder for containers: set XDG_DATA_HOME or HOME")]
    NoHome,
    #[error("cannot get random numbers")]
    Random(#[source] io::Error),
    #[error("{0}")]
    Name(String),
    #[error("the name {name} is taken by container {id}: rename or remove that one first")]
    Taken { name: String, id: String },
    #[error("'{0}' is no container: bulkhead ps -a lists them")]
    NotFound(String),
    #[error("'{0}' is the start of several containers' IDs: give more of it")]
    Ambiguous(String),
    #[error("container {0} is running: bulkhead stop ends it")]
    Running(String),
}

/// An error about one of our files.
pub fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ContainerError {
    let path = path.to_owned();
    move |source| ContainerError::File { action, path, source }
}
