//! What a container is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Id;
use crate::bundle::Bundle;
use crate::digest::Digest;

/// All that is decided when it is created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Its identity.
    pub id: Id,
    /// Its name; no two containers have the same.
    pub name: String,
    /// When it was created, in nanoseconds since 1970.
    pub created: u64,
    /// The image it is made of.
    pub image: ImageName,
    /// What runs, in what machine.
    pub bundle: Bundle,
    /// Whether its process has a terminal.
    pub terminal: bool,
    /// Whether its process has an input.
    pub stdin_open: bool,
    /// Whether it is removed when it ends.
    pub auto_remove: bool,
    /// Whether it is started again when it ends.
    pub restart: RestartPolicy,
    /// The signal that asks it to end, signal(7).
    pub stop_signal: u8,
    /// How long it may take to, in seconds.
    pub stop_timeout: u32,
    /// What people note about it.
    pub labels: BTreeMap<String, String>,
    /// How much of its output is kept.
    pub log: LogOptions,
}

/// An image, as somebody called it then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageName {
    /// A name in the store, or a path.
    pub name: String,
    /// Its manifest, when it is in the store: that stays there as long as the container.
    pub manifest: Option<Digest>,
}

/// When a container that has ended is started again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum RestartPolicy {
    /// Never.
    #[default]
    No,
    /// After an exit status that is not 0.
    OnFailure {
        /// So many times at most.
        max: Option<u32>,
    },
    /// Until somebody ends it.
    Always,
}

/// How a log is rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogOptions {
    /// The size of a file in bytes, from which on the next is begun.
    pub max_size: u64,
    /// The number of files.
    pub max_file: u32,
}

/// No container fills the disk with words, unless it is allowed to.
impl Default for LogOptions {
    fn default() -> Self {
        Self { max_size: 10 << 20, max_file: 2 }
    }
}
