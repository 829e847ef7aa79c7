//! What can go wrong between us and a registry.

use std::io;
use std::path::PathBuf;

use oci_client::errors::OciDistributionError;
use thiserror::Error;

use crate::store::{Name, StoreError};
use host::platform::Platform;

/// Why an image was not pulled.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum RegistryError {
    #[error(
        "--tls-verify=false is for registries on this machine (localhost, 127.0.0.1, [::1]), not for {registry}"
    )]
    NotLoopback { registry: String },
    #[error("cannot reach the registry of {name}: {advice}")]
    Unreachable { name: Name, advice: &'static str, source: Box<OciDistributionError> },
    #[error("{name} is not in its registry: check the name and the {}", version(.name))]
    NotFound { name: Name },
    #[error(
        "registry {registry} does not let {who} read {name}: check the name, or log in with: docker login {registry}"
    )]
    Unauthorised { name: Name, registry: String, who: String },
    #[error("registry {registry} refuses {name}: it says {answer}")]
    Refused { name: Name, registry: String, answer: String },
    #[error(
        "{name} is for {held}, not for {wanted}: name another image (--platform takes this one for another machine)"
    )]
    Platform { name: Name, held: String, wanted: Platform },
    #[error("{name} is not as it should be: {reason}")]
    Wrong { name: Name, reason: String },
    #[error(
        "registry {registry} sends too much, or too slowly, when asked for {name}: it may be broken"
    )]
    NoEnd { name: Name, registry: String },
    #[error(
        "{name}: blob {blob}: the connection broke after {length} of {size} bytes; pull again to go on from there"
    )]
    Interrupted { name: Name, blob: String, length: u64, size: u64, source: io::Error },
    #[error("cannot start the HTTP client")]
    Start(#[source] io::Error),
    #[error(
        "cannot check certificates of registries: is a list of authorities installed (Debian: ca-certificates)?"
    )]
    Certificates { source: Box<OciDistributionError> },
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why docker's credentials are of no use.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum CredentialsError {
    #[error("docker's {path}: cannot read it")]
    Read { path: PathBuf, source: io::Error },
    #[error("docker's {path}: cannot understand it")]
    Json { path: PathBuf, source: serde_json::Error },
    #[error(
        "docker's {path}: auth of '{server}' is not base64 of USER:PASSWORD: docker login writes it"
    )]
    Auth { path: PathBuf, server: String },
    #[error(
        "{origin} has an identity token for {server}, which is not supported: docker login with a password or an access token"
    )]
    IdentityToken { origin: String, server: String },
    #[error(
        "docker's config file: '{0}' is no name of a credential helper: letters, digits, '.', '_' and '-'"
    )]
    HelperName(String),
    #[error("cannot ask {program} for credentials, which docker's config file names")]
    Helper { program: String, source: io::Error },
    #[error("{program}, which docker's config file names, says '{answer}'")]
    HelperSays { program: String, answer: String },
}

impl RegistryError {
    /// 2 for what the person asked for, 1 for what went wrong.
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::NotLoopback { .. } => 2,
            _ => 1,
        }
    }
}

/// What tells the image from others of its repository.
fn version(name: &Name) -> &'static str {
    if name.tag().is_some() { "tag" } else { "digest" }
}

/// What a registry says, fit to be shown: one line, not too long.
pub fn told(text: &str) -> String {
    const MOST: usize = 300;
    let mut shown: String = text.trim().chars().take(MOST).flat_map(char::escape_debug).collect();
    if text.trim().chars().nth(MOST).is_some() {
        shown.push('…');
    }
    shown
}
