//! What docker's table of what can be copied where leaves out.

use std::path::PathBuf;

use thiserror::Error;

/// Why nothing is copied.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum CopyError {
    #[error("{0} is in the container and is no folder: a folder does not replace it")]
    NoFolderThere(PathBuf),
    #[error("{0} is a device of the container: only a file's or a folder's place is taken")]
    Device(PathBuf),
    #[error("{0} is a device of this machine: only a file's or a folder's place is taken")]
    DeviceHere(PathBuf),
    #[error("there is no folder {0}")]
    NoParent(PathBuf),
    #[error("{0} is a socket, which is nothing without the program that made it")]
    Socket(PathBuf),
    #[error("{0} is at the start of more than {most} links, one behind the other", most = super::look::MOST_LINKS)]
    Links(PathBuf),
}
