//! What goes wrong with networks.

use std::fmt::Display;
use std::io;

use thiserror::Error;

use super::lease::LeaseError;
use super::netavark::NetavarkError;
use super::ports::PortError;
use crate::container::ContainerError;

/// Why a network is not made, found, joined or removed.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum NetworkError {
    #[error("no folder for networks: set XDG_DATA_HOME or HOME")]
    NoHome,
    #[error(transparent)]
    File(#[from] ContainerError),
    #[error("cannot get random numbers")]
    Random(#[source] io::Error),
    #[error("cannot look at this host's interfaces and routes")]
    Host(#[source] io::Error),
    #[error("{0}")]
    Name(String),
    #[error("{0}")]
    Option(String),
    #[error("the name {name} is taken by network {id}: give another, or remove that one first")]
    Taken { name: String, id: String },
    #[error(
        "no subnet is free: give one with --subnet, or remove networks with bulkhead network prune"
    )]
    NoSubnet,
    #[error(
        "'{0}' is no network: bulkhead network ls lists them, bulkhead network create makes one"
    )]
    NotFound(String),
    #[error("'{0}' is the start of several networks' IDs: give more of it")]
    Ambiguous(String),
    #[error(
        "network {network} of container {container} is no more: bulkhead network disconnect {network} {container}"
    )]
    Gone { network: String, container: String },
    #[error("cannot make a network namespace")]
    Namespace(#[source] io::Error),
    #[error(transparent)]
    Netavark(#[from] NetavarkError),
    #[error(transparent)]
    Port(#[from] PortError),
    #[error(
        "container {container} is not on network {network}: bulkhead inspect shows its networks"
    )]
    NotOn { network: String, container: String },
    #[error("network {network} is in use by {containers}: disconnect or remove them first")]
    InUse { network: String, containers: String },
    #[error("network {network}")]
    Lease { network: String, source: LeaseError },
}

/// What is wrong with a flag's value.
pub fn wrong(flag: &str, value: impl Display, problem: impl Display) -> NetworkError {
    NetworkError::Option(format!("{flag} {value}: {problem}"))
}
