//! What a filter is told of its VM.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use crate::{Network, Rule, is_link_local, is_unroutable};

/// How many rules one VM may have: the filter looks at all of them for each frame that it has not seen before.
pub const MAX_RULES: usize = 256;
/// How many addresses of each family.
pub const MAX_ADDRESSES: usize = 16;
/// How many resolvers; C libraries ask three at most (resolv.conf(5)).
pub const MAX_RESOLVERS: usize = 8;

/// What a guest is called on its network, and what it may reach there. A policy without rules lets nothing out; where
/// everything may go out there is no filter.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// The interface's hardware address. No part of the JSON: whatever describes the interface has it.
    #[serde(skip)]
    pub mac: [u8; 6],
    /// Its IPv4 addresses.
    #[serde(default)]
    pub ipv4: Vec<Ipv4Addr>,
    /// Its IPv6 addresses. The link-local one that Linux makes of the hardware address need not be named.
    #[serde(default)]
    pub ipv6: Vec<Ipv6Addr>,
    /// Who answers the guest's questions for names, on port 53. They may have any address, for the filter reads what
    /// goes there.
    #[serde(default)]
    pub resolvers: Vec<IpAddr>,
    /// What else may be reached.
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// Whether rules can open link-local addresses ([`is_link_local`]), at which clouds give their machines
    /// credentials.
    #[serde(default)]
    pub link_local: bool,
}

/// Why a policy can't be enforced.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// A hardware address that no interface has.
    #[error("mac: {} is no interface's address: its first byte must be even, and one of the six not 0", mac_text(.0))]
    Mac([u8; 6]),
    /// Too much of something.
    #[error("{field}: {given} are too many: give {most} at most")]
    TooMany {
        /// Of what.
        field: &'static str,
        /// How many there are.
        given: usize,
        /// How many there may be.
        most: usize,
    },
    /// An address that no interface, or no resolver, has.
    #[error("{field}[{index}]: {address} is the address of no single host on a network")]
    Address {
        /// Of what.
        field: &'static str,
        /// The number of the value there.
        index: usize,
        /// The value.
        address: IpAddr,
    },
    /// A name to allow, and nobody to ask for it.
    #[error("rules[{index}]: {rule} needs a resolver to ask, and resolvers is empty")]
    NoResolver {
        /// Which rule.
        index: usize,
        /// The rule.
        rule: Rule,
    },
    /// A rule that would be without effect.
    #[error("rules[{index}]: {rule} is link-local, which takes link_local to be true as well")]
    LinkLocal {
        /// Which rule.
        index: usize,
        /// The rule.
        rule: Rule,
    },
}

fn mac_text(mac: &[u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

impl Policy {
    /// Whether the policy can be enforced as it is.
    ///
    /// # Errors
    ///
    /// The first field that is wrong.
    pub fn check(&self) -> Result<(), PolicyError> {
        if self.mac == [0; 6] || self.mac[0] & 1 != 0 {
            return Err(PolicyError::Mac(self.mac));
        }
        let counts = [
            ("ipv4", self.ipv4.len(), MAX_ADDRESSES),
            ("ipv6", self.ipv6.len(), MAX_ADDRESSES),
            ("resolvers", self.resolvers.len(), MAX_RESOLVERS),
            ("rules", self.rules.len(), MAX_RULES),
        ];
        for (field, given, most) in counts {
            if given > most {
                return Err(PolicyError::TooMany { field, given, most });
            }
        }
        check_hosts("ipv4", self.ipv4.iter().map(|address| IpAddr::V4(*address)))?;
        check_hosts("ipv6", self.ipv6.iter().map(|address| IpAddr::V6(*address)))?;
        check_hosts("resolvers", self.resolvers.iter().copied())?;
        for (index, rule) in self.rules.iter().enumerate() {
            self.check_rule(index, rule)?;
        }
        Ok(())
    }

    fn check_rule(&self, index: usize, rule: &Rule) -> Result<(), PolicyError> {
        match rule {
            Rule::Network(network, _) if !self.link_local && is_of_the_link(*network) => {
                Err(PolicyError::LinkLocal { index, rule: rule.clone() })
            }
            Rule::Dns | Rule::Domain(..) if self.resolvers.is_empty() => {
                Err(PolicyError::NoResolver { index, rule: rule.clone() })
            }
            _ => Ok(()),
        }
    }
}

/// Whether a network has link-local addresses only, as far as people write such: it would let nothing through.
fn is_of_the_link(network: Network) -> bool {
    let link = [
        Network::new(Ipv4Addr::new(169, 254, 0, 0).into(), 16),
        Network::new(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0).into(), 10),
    ];
    link.into_iter().flatten().any(|link| network.is_within(link))
        || (network.is_a_host() && is_link_local(network.first()))
}

fn check_hosts(
    field: &'static str,
    addresses: impl Iterator<Item = IpAddr>,
) -> Result<(), PolicyError> {
    for (index, address) in addresses.enumerate() {
        let broadcast = address == IpAddr::V4(Ipv4Addr::BROADCAST);
        if is_unroutable(address) || address.is_multicast() || broadcast {
            return Err(PolicyError::Address { field, index, address });
        }
    }
    Ok(())
}
