//! The network that a container finds: its interfaces, its names, its resolver.

mod check;
#[cfg(test)]
pub(crate) mod tests;

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::ByteString;

pub use check::NetworkError;

/// A container's network. By default there is nothing but the loopback interface, which every container has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// Interfaces besides `lo`.
    pub interfaces: Vec<Interface>,
    /// What `/etc/resolv.conf` says.
    pub resolver: Resolver,
    /// More lines of `/etc/hosts`, in this order.
    pub hosts: Vec<Host>,
    /// What the container's own host name stands for in `/etc/hosts`. docker has one address of each family and network
    /// here, and none where there is no network.
    pub own_addresses: Vec<IpAddr>,
    /// Settings of the guest's kernel, made in this order when the interfaces are up.
    pub sysctls: Vec<Sysctl>,
}

/// A network interface: a device that the VM has, and how it is set up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interface {
    /// Its name in the container, whatever the kernel has called the device: `eth0`.
    pub name: String,
    /// Which device is meant.
    pub mac: MacAddress,
    /// The longest packet, in bytes, without the Ethernet header.
    pub mtu: u32,
    /// Its addresses, the first of each family being the one that the container calls from.
    pub addresses: Vec<Cidr>,
    /// What is reached through it, besides the networks of its addresses.
    pub routes: Vec<Route>,
    /// Who on the link gets frames at an address that is known beforehand: some networks answer to no question for one
    /// (Amazon's VPC CNI).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub neighbours: Vec<Neighbour>,
}

/// A machine on a link, for good (NUD_PERMANENT, rtnetlink(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Neighbour {
    /// Its address.
    pub ip: IpAddr,
    /// Where it gets its frames.
    pub mac: MacAddress,
}

impl fmt::Display for Neighbour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.ip, self.mac)
    }
}

/// The address of a network card (IEEE 802, EUI-48), in the order of transmission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MacAddress(pub [u8; 6]);

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// An address and how much of it names its network (RFC 4632, §3.1; RFC 4291, §2.3): of an interface, or, with nothing
/// but zeros behind the prefix, a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cidr {
    /// The address.
    pub ip: IpAddr,
    /// Length of the prefix, in bits.
    pub prefix: u8,
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.ip, self.prefix)
    }
}

/// The way to a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// The network; prefix 0 is the default route.
    pub destination: Cidr,
    /// The next hop, of the same family. Without one the network is on the link itself.
    pub gateway: Option<IpAddr>,
    /// Whether the gateway is on the link though no address of the interface says so (RTNH_F_ONLINK, rtnetlink(7)).
    pub onlink: bool,
    /// Of two routes to one network the lower one is taken. 0 is the kernel's own choice.
    pub metric: u32,
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.destination)?;
        if let Some(gateway) = self.gateway {
            write!(f, " via {gateway}")?;
        }
        if self.onlink {
            f.write_str(" onlink")?;
        }
        match self.metric {
            0 => Ok(()),
            metric => write!(f, " metric {metric}"),
        }
    }
}

/// How names become addresses, resolv.conf(5).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resolver {
    /// Whom to ask, in this order.
    pub nameservers: Vec<IpAddr>,
    /// Domains that a short name is tried in.
    pub search: Vec<ByteString>,
    /// `ndots:2` and the like.
    pub options: Vec<ByteString>,
}

/// A name with an address of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// The name.
    pub name: ByteString,
    /// What it stands for.
    pub ip: IpAddr,
}

/// A setting of the kernel's network, sysctl(8).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sysctl {
    /// Its name below `/proc/sys`, with dots or with slashes between its parts: `net.ipv4.ip_forward`,
    /// `net/ipv4/conf/eth0.1/forwarding`.
    pub key: ByteString,
    /// Its value, as it is written there.
    pub value: ByteString,
}

impl Sysctl {
    /// The parts of its name.
    pub fn parts(&self) -> impl Iterator<Item = &[u8]> {
        let key = self.key.as_bytes();
        // sysctl(8): what comes first is the separator; then the other one is a character like any other.
        let separator = key.iter().find(|&&byte| byte == b'.' || byte == b'/').copied();
        key.split(move |&byte| Some(byte) == separator)
    }
}
