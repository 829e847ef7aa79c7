//! Errors of the command, and the exit status that each deserves.

use std::io;
use std::path::PathBuf;

use protocol::ProcessError;
use thiserror::Error;

use crate::commands::{CopyError, UnpackError};
use containers::container::ContainerError;
use containers::guest::GuestError;
use containers::network::Protocol;
use containers::network_names::NetworkError;
use containers::supervisor::SupervisorError;
use containers::vm::VmError;
use host::cache::CacheError;
use host::platform::Platform;
use host::program::NoProgram;
use host::text::in_one_line;
use images::image::ImageError;
use images::registry::RegistryError;
use images::store::StoreError;

/// Why the command failed.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum CommandError {
    #[error("{0} (try --help)")]
    Usage(String),
    #[error(
        "image {image} names no command: give one behind it, as in: bulkhead run {image} /bin/sh"
    )]
    NoCommand { image: String },
    #[error("{0}")]
    Process(ProcessError),
    #[error(transparent)]
    Program(#[from] NoProgram),
    #[error("bundle {path}: cannot write it")]
    WritePlan { path: PathBuf, source: io::Error },
    #[error("bundle {path}: cannot read it")]
    ReadPlan { path: PathBuf, source: io::Error },
    #[error("bundle {path}: cannot understand it")]
    Plan { path: PathBuf, source: serde_json::Error },
    #[error(
        "bundle {path} is for {found}, this machine runs {wanted}: prepare it with --platform {wanted}"
    )]
    PlanPlatform { path: PathBuf, found: Platform, wanted: Platform },
    #[error(transparent)]
    Image(Box<ImageError>),
    #[error(transparent)]
    Store(Box<StoreError>),
    #[error(transparent)]
    Registry(Box<RegistryError>),
    #[error(
        "'{0}' is neither a file nor an image in the store: bulkhead images lists those, bulkhead pull and bulkhead load add some"
    )]
    NoImage(String),
    #[error("'{text}' is neither a file nor an image in the store, and is not pulled")]
    NotPulled { text: String, source: Box<RegistryError> },
    #[error("{path}: cannot read it")]
    ReadFile { path: PathBuf, source: io::Error },
    #[error("{path} is longer than {most} bytes")]
    LongFile { path: PathBuf, most: u64 },
    #[error("{path}:{line}: {problem}")]
    Line { path: PathBuf, line: usize, problem: &'static str },
    #[error("{path}: cannot write it")]
    WriteFile { path: PathBuf, source: io::Error },
    #[error("cannot copy to {path}")]
    Unpack { path: PathBuf, source: Box<UnpackError> },
    #[error(transparent)]
    Copy(#[from] CopyError),
    #[error(
        "no port {port}/{protocol} of {name} is published: bulkhead port {name} lists those that are"
    )]
    NotPublished { name: String, port: u16, protocol: Protocol },
    #[error(
        "what {0} was not let through to is not known: its supervisor was killed before it wrote that down"
    )]
    Untold(String),
    #[error("cannot write the output")]
    Output(#[source] io::Error),
    #[error(transparent)]
    Guest(#[from] GuestError),
    #[error(transparent)]
    Cache(#[from] CacheError),
    #[error(transparent)]
    Vm(#[from] VmError),
    #[error(transparent)]
    Container(#[from] ContainerError),
    #[error(transparent)]
    Network(#[from] NetworkError),
    #[error(transparent)]
    Supervisor(#[from] SupervisorError),
}

impl From<ImageError> for CommandError {
    fn from(error: ImageError) -> Self {
        Self::Image(Box::new(error))
    }
}

impl From<StoreError> for CommandError {
    fn from(error: StoreError) -> Self {
        Self::Store(Box::new(error))
    }
}

impl From<RegistryError> for CommandError {
    fn from(error: RegistryError) -> Self {
        Self::Registry(Box::new(error))
    }
}

impl CommandError {
    /// 2 for what the person asked for, 1 for what went wrong, and the container's own where it has one.
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::NoCommand { .. } | Self::Process(_) => 2,
            Self::Container(ContainerError::Name(_)) => 2,
            Self::Network(NetworkError::Name(_) | NetworkError::Option(_)) => 2,
            Self::Registry(error) | Self::NotPulled { source: error, .. } => error.exit_status(),
            Self::Vm(error) => error.exit_status(),
            Self::Supervisor(error) => error.exit_status(),
            _ => 1,
        }
    }

    /// The error and its causes, in one line.
    pub fn line(&self) -> String {
        in_one_line(self)
    }
}
