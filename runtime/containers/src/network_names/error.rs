//! What goes wrong with networks.

use std::fmt::Display;
use std::io;

use thiserror::Error;

use super::helper::HELPER;
use super::home::HomeError;
use super::lease::LeaseError;
use super::netavark::NetavarkError;
use crate::container::ContainerError;
use crate::network;
use crate::network::attach::AttachError;
use crate::network::namespace::NamespaceError;

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
    OwnNamespace(#[from] NamespaceError),
    #[error(transparent)]
    Attach(#[from] AttachError),
    #[error(
        "--egress of container {container}: network {network} has rules of its own, which are its containers': leave one of both out"
    )]
    TwoFilters { container: String, network: String },
    #[error(transparent)]
    Port(network::NetworkError),
    #[error(
        "--publish: {address} is of {family}, which no network of the container has: give another address, or a network that has it"
    )]
    NoFamily { address: std::net::IpAddr, family: &'static str },
    #[error(
        "container {0} is on no network, which its published ports need: bulkhead network connect puts it on one"
    )]
    NowhereToPublish(String),
    #[error(transparent)]
    Home(#[from] HomeError),
    #[error("cannot put the container on its networks: {HELPER} failed")]
    Helper(#[source] io::Error),
    #[error("{0}")]
    Said(String),
    #[error(
        "container {container} has --network {mode}: create another one with --network {network}"
    )]
    OtherKind { container: String, mode: String, network: String },
    #[error(
        "container {0} is running, and its networks are those of its start: bulkhead stop ends it, and its next start has others"
    )]
    Runs(String),
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
