//! What an image says about the process to run.

use std::collections::BTreeMap;

use oci_spec::image::ImageConfiguration;
use serde::{Deserialize, Serialize};

/// The part of the image configuration that counts at run time (OCI image specification, "config").
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageConfig {
    /// The start of the command line.
    pub entrypoint: Vec<String>,
    /// What follows it unless the person gives something else.
    pub cmd: Vec<String>,
    /// `NAME=VALUE`.
    pub env: Vec<String>,
    /// `USER[:GROUP]`, names or numbers; empty for root.
    pub user: String,
    /// Where the process starts; empty for `/`.
    pub working_dir: String,
    /// The signal that asks it to end; empty for TERM.
    pub stop_signal: String,
    /// What its maker notes about it.
    pub labels: BTreeMap<String, String>,
    /// What its programs listen on, `PORT[/PROTOCOL]`, as its maker says.
    pub exposed_ports: Vec<String>,
}

impl From<&ImageConfiguration> for ImageConfig {
    fn from(configuration: &ImageConfiguration) -> Self {
        let Some(config) = configuration.config() else { return Self::default() };
        Self {
            // One empty word is none (moby `daemon.getEntrypointAndArgs`).
            entrypoint: config
                .entrypoint()
                .clone()
                .filter(|words| *words != [""])
                .unwrap_or_default(),
            cmd: config.cmd().clone().unwrap_or_default(),
            env: config
                .env()
                .iter()
                .flatten()
                .filter(|variable| is_assignment(variable))
                .cloned()
                .collect(),
            user: config.user().clone().unwrap_or_default(),
            working_dir: config.working_dir().clone().unwrap_or_default(),
            stop_signal: config.stop_signal().clone().unwrap_or_default(),
            labels: config.labels().clone().unwrap_or_default().into_iter().collect(),
            exposed_ports: config.exposed_ports().clone().unwrap_or_default(),
        }
    }
}

/// Whether it is `NAME=VALUE`. Another one is in no environment, whoever runs the image.
fn is_assignment(variable: &str) -> bool {
    let is = variable.split_once('=').is_some_and(|(name, _)| !name.is_empty());
    if !is {
        log::info!(
            "an image's configuration: config.Env: '{}' is left out",
            variable.escape_debug()
        );
    }
    is
}
