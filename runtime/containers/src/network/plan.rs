//! What a container asks for.

#[cfg(test)]
mod tests;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::path::PathBuf;

use protocol::{ByteString, Host, MacAddress, Resolver, Sysctl};
use serde::{Deserialize, Serialize};

use super::{Egress, user};

/// The most ports that are published, each of which is one or two sockets of the host's: ours.
const MAX_PORTS: usize = 1024;

/// How long a packet may be, in bytes: from what IPv6 needs (RFC 8200, §5) to the most that passt takes, in whole words
/// (passt(1), `--mtu`).
pub const MTUS: RangeInclusive<u32> = 1280..=65520;

/// A container's network, as it is to be. By default there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkPlan {
    /// Of which kind.
    pub mode: NetworkMode,
    /// What of it can be reached on the host.
    pub ports: Vec<PublishedPort>,
    /// What its programs are said to listen on, besides. It is only shown.
    pub exposed: Vec<(u16, Protocol)>,
    /// The hardware address, if it is not the usual one.
    pub mac: Option<MacAddress>,
    /// The address, if it is not the usual one.
    pub ip: Option<Ipv4Addr>,
    /// Likewise.
    pub ip6: Option<Ipv6Addr>,
    /// Whom to ask for names and how, where that is not what the host does. A search in `.` is one in no domain.
    pub resolver: Resolver,
    /// Names besides.
    pub hosts: Vec<ExtraHost>,
    /// Settings of the guest's kernel.
    pub sysctls: Vec<Sysctl>,
    /// What it may reach, if that is not everything.
    pub egress: Option<Egress>,
}

/// How a container is connected.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NetworkMode {
    /// Not at all: it has its loopback interface.
    #[default]
    None,
    /// As any program of the user's, by passt.
    User(UserNetwork),
    /// By networks that have names: those that the container is on.
    Names,
    /// By the interfaces of the network namespace at this path, which is absolute.
    Namespace(PathBuf),
}

/// As `--network` calls it, without options.
impl fmt::Display for NetworkMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::User(_) => f.write_str("user"),
            Self::Names => f.write_str("names"),
            Self::Namespace(path) => write!(f, "ns:{}", path.display()),
        }
    }
}

/// The network of an ordinary user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserNetwork {
    /// How long a packet may be, in bytes.
    pub mtu: u32,
    /// Whether the gateway's address leads to the host's own loopback interface.
    pub host_loopback: bool,
    /// Somebody has asked for it: without it the container does not run.
    pub required: bool,
}

/// The one that a container has unless something else is asked for.
impl Default for UserNetwork {
    fn default() -> Self {
        Self { mtu: *MTUS.end(), host_loopback: false, required: false }
    }
}

/// A port of the container's that can be reached on the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishedPort {
    /// Where on the host; everywhere if there is none.
    pub address: Option<IpAddr>,
    /// Any free one if there is none.
    pub host_port: Option<u16>,
    /// Not 0.
    pub container_port: u16,
    /// Of which protocol.
    pub protocol: Protocol,
}

/// What has ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Protocol {
    Tcp,
    Udp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

/// A name that the container knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExtraHost {
    /// The name.
    pub name: ByteString,
    /// What it stands for.
    pub address: HostAddress,
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostAddress {
    /// This.
    Ip(IpAddr),
    /// The host, by whatever address the container reaches it.
    Gateway,
}

impl NetworkPlan {
    /// The container's ports that anybody is told of, published or not.
    pub fn known_ports(&self) -> impl Iterator<Item = (u16, Protocol)> {
        let published = self.ports.iter().map(|port| (port.container_port, port.protocol));
        published.chain(self.exposed.iter().copied())
    }

    /// Whether the container can't do without it.
    pub(super) fn is_required(&self) -> bool {
        let asked = match &self.mode {
            NetworkMode::None => false,
            NetworkMode::User(user) => user.required,
            NetworkMode::Namespace(_) | NetworkMode::Names => true,
        };
        asked || !self.ports.is_empty() || self.egress.is_some()
    }

    /// Looks at what the types allow too much of: what is wrong, as the flag that says it.
    pub fn check(&self) -> Result<(), String> {
        match &self.mode {
            NetworkMode::None => self.check_none()?,
            NetworkMode::User(user) if !MTUS.contains(&user.mtu) => {
                let (least, most) = MTUS.into_inner();
                return Err(format!("--network user:mtu={}: give {least} to {most}", user.mtu));
            }
            NetworkMode::User(_) => user::check_addresses(self)?,
            NetworkMode::Names => self.check_names()?,
            NetworkMode::Namespace(path) => {
                if !path.is_absolute() {
                    return Err(format!("--network {}: give an absolute path", self.mode));
                }
                if let Some(flag) = self.flag_for_one_address() {
                    return Err(format!(
                        "{flag} is decided by whoever has made the network namespace of --network {}: leave one of both out",
                        self.mode
                    ));
                }
            }
        }
        self.egress.as_ref().map_or(Ok(()), Egress::check)?;
        if self.ports.len() > MAX_PORTS {
            return Err(format!("--publish: {} ports: give at most {MAX_PORTS}", self.ports.len()));
        }
        for (number, port) in self.ports.iter().enumerate() {
            let PublishedPort { host_port, container_port, protocol, .. } = *port;
            if container_port == 0 || host_port == Some(0) {
                return Err("--publish: no port is 0".to_owned());
            }
            // passt has one socket for a number, whatever the address.
            let is_taken = |other: &PublishedPort| {
                other.protocol == protocol
                    && other.host_port.is_some_and(|it| Some(it) == host_port)
            };
            if self.ports[..number].iter().any(is_taken) {
                let host_port = host_port.unwrap_or_default();
                return Err(format!(
                    "--publish {host_port}:{container_port}/{protocol}: port {host_port} of this host is published already: give each once"
                ));
            }
        }
        Ok(())
    }

    /// What makes no sense without a network.
    fn check_none(&self) -> Result<(), String> {
        let egress = self.egress.as_ref().map(|_| "--egress");
        let Some(flag) = self.flag_for_one_address().or(egress) else { return Ok(()) };
        Err(format!("{flag} needs a network, and --network none is without: leave one of both out"))
    }

    /// What each network is asked for by itself.
    fn check_names(&self) -> Result<(), String> {
        let (flag, option) = match self {
            Self { mac: Some(_), .. } => ("--mac-address", "mac"),
            Self { ip: Some(_), .. } => ("--ip", "ip"),
            Self { ip6: Some(_), .. } => ("--ip6", "ip6"),
            _ => return Ok(()),
        };
        Err(format!(
            "{flag}: of several networks it is not said which: give --network NETWORK:{option}=ADDRESS"
        ))
    }

    /// What needs a network whose addresses are ours to choose.
    fn flag_for_one_address(&self) -> Option<&'static str> {
        match self {
            Self { ports, .. } if !ports.is_empty() => Some("--publish"),
            Self { mac: Some(_), .. } => Some("--mac-address"),
            Self { ip: Some(_), .. } => Some("--ip"),
            Self { ip6: Some(_), .. } => Some("--ip6"),
            Self { hosts, .. } if hosts.iter().any(|host| host.address == HostAddress::Gateway) => {
                Some("--add-host with host-gateway")
            }
            _ => None,
        }
    }

    /// Names besides, as far as their addresses are given.
    pub(super) fn given_hosts(&self) -> Vec<Host> {
        let given = |host: &ExtraHost| match host.address {
            HostAddress::Ip(ip) => Some(Host { name: host.name.clone(), ip }),
            HostAddress::Gateway => None,
        };
        self.hosts.iter().filter_map(given).collect()
    }

    /// How names become addresses: as the plan says, and else as the host does it.
    pub(crate) fn resolver(&self, host: Option<Resolver>) -> Resolver {
        let (own, host) = (self.resolver.clone(), host.unwrap_or_default());
        let mut search = if own.search.is_empty() { host.search } else { own.search };
        search.retain(|domain| domain.as_bytes() != b".");
        Resolver {
            nameservers: if own.nameservers.is_empty() {
                host.nameservers
            } else {
                own.nameservers
            },
            search,
            options: if own.options.is_empty() { host.options } else { own.options },
        }
    }
}
