//! The image disk: parts of files, one after the other.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A piece of a file, as the VM configuration's `drives[].parts` has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// The file.
    pub path: PathBuf,
    /// Where the piece starts, in bytes.
    pub offset: u64,
    /// How long it is, in bytes: a multiple of 4096.
    pub length: u64,
}

/// A read-only disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// Its parts in order: the file system's metadata, then the blobs.
    pub parts: Vec<Part>,
}
