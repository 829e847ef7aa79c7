//! Why a container has no network.

use std::io;
use std::net::IpAddr;

use thiserror::Error;

use super::attach::AttachError;
use super::{Protocol, PublishedPort};

/// Why a container has no network, or not the one that it asks for.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum NetworkError {
    #[error(
        "passt is missing, which connects containers with the network: install it (apt-get install passt), or give --network none"
    )]
    Missing,
    #[error("{} is taken{}", named(.0), .1.as_deref().map(|holder| format!(" by {holder}")).unwrap_or_default())]
    Taken(PublishedPort, Option<String>),
    #[error(
        "{} is root's, as all below {start} (sysctl net.ipv4.ip_unprivileged_port_start): publish another one", named(.port)
    )]
    Privileged { port: PublishedPort, start: String },
    #[error("{} cannot be published", named(.port))]
    Port { port: PublishedPort, source: io::Error },
    #[error(
        "{} cannot be published: passt has no IPv6 here, for which an interface of this host must have a link-local address",
        named(.0)
    )]
    NoIpv6(PublishedPort),
    #[error("no port of this host is free for {container_port}/{protocol}")]
    NoneFree { container_port: u16, protocol: Protocol },
    #[error(
        "--add-host {name}:host-gateway: this host has no address that leads out of it: give its address, or --network user:host-loopback"
    )]
    NoHostAddress { name: String },
    #[error(transparent)]
    Attach(#[from] AttachError),
    #[error("cannot start passt")]
    Start(#[source] io::Error),
    #[error("passt ended before it was ready: {said}")]
    Ended { said: String },
    #[error("passt did not answer within {seconds} s: {said}")]
    Silent { seconds: u64, said: String },
    #[error("cannot speak with passt")]
    Speak(#[source] io::Error),
    #[error(
        "a bundle is on no network that has a name: give it --network none or user, or create a container"
    )]
    NoContainer,
}

impl NetworkError {
    /// Whether this machine is why, rather than what was asked for.
    pub(super) fn is_of_the_host(&self) -> bool {
        match self {
            Self::Missing | Self::Start(_) | Self::Ended { .. } | Self::Silent { .. } => true,
            Self::Speak(_) => true,
            Self::Taken(..) | Self::Privileged { .. } | Self::Port { .. } => false,
            Self::NoIpv6(_) | Self::NoneFree { .. } | Self::NoHostAddress { .. } => false,
            Self::Attach(_) | Self::NoContainer => false,
        }
    }
}

/// `port 8080/tcp of 127.0.0.1`.
fn named(port: &PublishedPort) -> String {
    let number = port.host_port.unwrap_or_default();
    let of = match port.address {
        Some(IpAddr::V6(address)) => format!("[{address}]"),
        Some(IpAddr::V4(address)) => address.to_string(),
        None => "this host".to_owned(),
    };
    format!("port {number}/{} of {of}", port.protocol)
}
