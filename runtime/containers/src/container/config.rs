//! What a container is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Id, check_name};
use crate::network::NetworkMode;
use crate::network_names::{Attachment, check_all};
use crate::plan::{ContainerPlan, Plan};
use host::digest::Digest;

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
    #[serde(rename = "bundle")]
    pub plan: Plan,
    /// How many of its process's words, from the first on, are the entrypoint; the others are the command.
    #[serde(default)]
    pub entrypoint: usize,
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
    /// The networks of names that it is on.
    #[serde(default)]
    pub networks: Vec<Attachment>,
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
    /// Likewise. Where docker's daemon starts an `Always` container again that somebody had ended before the daemon was, it
    /// lets this one be; there is no daemon here, and nothing starts by itself.
    UnlessStopped,
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

impl LogOptions {
    /// The most files that there can be: all are renamed when one is full.
    pub const MAX_FILES: u32 = 1000;
}

/// No container fills the disk with words, unless it is allowed to.
impl Default for LogOptions {
    fn default() -> Self {
        Self { max_size: 10 << 20, max_file: 2 }
    }
}

impl Config {
    /// What it is connected with, as `--network` calls it.
    pub fn network_names(&self) -> Vec<String> {
        match &self.plan.container.network.mode {
            NetworkMode::Names => self.networks.iter().map(|on| on.name.clone()).collect(),
            mode => vec![mode.to_string()],
        }
    }

    /// Looks at the fields whose types allow too much; the field, and what is wrong with it.
    pub(super) fn check(&self) -> Result<(), String> {
        check_name(&self.name).map_err(|problem| format!("name: {problem}"))?;
        if !(1..=64).contains(&self.stop_signal) {
            return Err(format!("stop_signal: {} is no signal (1 to 64)", self.stop_signal));
        }
        let LogOptions { max_size, max_file } = self.log;
        if max_size == 0 {
            return Err("log.max_size: a file needs some room".to_owned());
        }
        let most = LogOptions::MAX_FILES;
        if !(1..=most).contains(&max_file) {
            return Err(format!("log.max_file: {max_file} is not in 1 to {most}"));
        }
        check_all(&self.networks).map_err(|problem| format!("networks: {problem}"))?;
        let ContainerPlan { process, setting, network } = &self.plan.container;
        if !self.networks.is_empty() && network.mode != NetworkMode::Names {
            return Err(format!("bundle.network.mode: {} excludes networks", network.mode));
        }
        process.check().map_err(|error| format!("bundle.process.{error}"))?;
        setting.check().map_err(|error| format!("bundle.setting.{error}"))?;
        network.check().map_err(|error| format!("bundle.network: {error}"))
    }
}
