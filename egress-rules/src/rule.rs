//! One rule.

mod parse;

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::Domain;
pub use parse::RuleError;

/// Where resolvers listen (RFC 1035 §4.2).
pub const DNS_PORT: u16 = 53;

/// Something that a guest may reach. The crate's front page has the text of each kind.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub enum Rule {
    /// Questions for any name.
    Dns,
    /// Addresses.
    Network(Network, Service),
    /// What a name, or each name below one, resolves to.
    Domain(Domain, Service),
}

/// The addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// The first of them.
    address: IpAddr,
    /// How many bits they share.
    prefix: u8,
}

/// Which ports of which transport protocols.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Service {
    /// One only, or both, and ping too if there are no ports either.
    pub protocol: Option<Protocol>,
    /// First and last port, or all.
    pub ports: Option<(u16, u16)>,
}

/// A transport protocol that has ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// RFC 9293.
    Tcp,
    /// RFC 768.
    Udp,
}

impl Network {
    /// The network of `prefix` bits that begins at `address`; `None` if the address has other bits set, or has not so
    /// many.
    pub fn new(address: IpAddr, prefix: u8) -> Option<Self> {
        (prefix <= bits(address) && first(address, prefix) == address)
            .then_some(Self { address, prefix })
    }

    /// Whether the address is one of it. An IPv4 address is in no IPv6 network.
    pub fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.address.is_ipv4() && first(address, self.prefix) == self.address
    }

    /// The first address.
    pub fn first(&self) -> IpAddr {
        self.address
    }

    /// Whether it is one address.
    pub fn is_a_host(&self) -> bool {
        self.prefix == bits(self.address)
    }

    /// Whether every address of it is one of `other`.
    pub fn is_within(&self, other: Self) -> bool {
        self.prefix >= other.prefix && other.contains(self.address)
    }
}

/// How long an address is, in bits.
fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The first address that shares `prefix` bits with this one.
fn first(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0);
            IpAddr::V4((u32::from(v4) & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix.min(128))).unwrap_or(0);
            IpAddr::V6((u128::from(v6) & mask).into())
        }
    }
}

impl Service {
    /// Whether a port is one of these.
    pub fn covers(&self, protocol: Protocol, port: u16) -> bool {
        self.protocol.is_none_or(|only| only == protocol)
            && self.ports.is_none_or(|(first, last)| (first..=last).contains(&port))
    }

    /// Whether nothing at all is left out, so that ping is meant too.
    pub fn is_everything(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns => write!(f, "dns"),
            // Only a port makes brackets necessary.
            Self::Network(Network { address: IpAddr::V6(address), prefix }, service)
                if service.ports.is_some() =>
            {
                write!(f, "[{address}]")?;
                if *prefix < 128 {
                    write!(f, "/{prefix}")?;
                }
                write!(f, "{service}")
            }
            Self::Network(network, service) => write!(f, "{network}{service}"),
            Self::Domain(domain, service) => write!(f, "{domain}{service}"),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.address)?;
        if self.prefix < bits(self.address) { write!(f, "/{}", self.prefix) } else { Ok(()) }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ports {
            None => {}
            Some((first, last)) if first == last => write!(f, ":{first}")?,
            Some((first, last)) => write!(f, ":{first}-{last}")?,
        }
        match self.protocol {
            None => Ok(()),
            Some(protocol) => write!(f, "/{protocol}"),
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

impl From<Rule> for String {
    fn from(rule: Rule) -> Self {
        rule.to_string()
    }
}
