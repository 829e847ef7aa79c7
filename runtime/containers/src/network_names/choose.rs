//! From what a person asks for to a network that is different from all others: its subnets, gateways and bridge.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rustix::rand::{GetRandomFlags, getrandom};

use super::definition::{Network, Range, check_interface, check_mtu};
use super::error::{NetworkError, wrong};
use super::host::HostNetwork;
use super::name::check_name;
use super::subnet::Subnet;
use crate::container::{Id, now};
use crate::network::Egress;

/// What a person asks for. What is not named is chosen.
#[derive(Clone, Debug, Default)]
pub struct NewNetwork {
    /// Its name.
    pub name: String,
    /// One of each family at most.
    pub subnets: Vec<Subnet>,
    /// Likewise; in those.
    pub gateways: Vec<IpAddr>,
    /// Whether it has no addresses of IPv4.
    pub no_ipv4: bool,
    /// Whether it has addresses of IPv6: it does also with a subnet of those.
    pub ipv6: bool,
    /// Whether its containers reach nothing but each other.
    pub internal: bool,
    /// The longest packet, in bytes.
    pub mtu: Option<u32>,
    /// Its bridge.
    pub interface: Option<String>,
    /// What its containers may reach through it, if that is not everything.
    pub egress: Option<Egress>,
    /// What people note about it.
    pub labels: BTreeMap<String, String>,
}

/// Where networks begin that are given a subnet, podman's pool (containers/common `libnetwork`, `default_subnet_pools`):
/// behind 10.88.0.0/16, its own default network.
const POOL: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 89, 0, 0));
const POOL_PREFIX: u8 = 24;

/// Where they end: 10.255.255.0/24.
const POOL_END: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 255, 255, 255));

/// How often a random prefix may be somebody's: of 2^40 none is, unless the randomness is broken.
const ATTEMPTS: usize = 16;

impl NewNetwork {
    /// The network, that gets along with the `others` and with what the host has.
    pub(super) fn choose(
        mut self,
        others: &[Network],
        host: &HostNetwork,
    ) -> Result<Network, NetworkError> {
        check_name(&self.name).map_err(NetworkError::Name)?;
        if let Some(other) = others.iter().find(|other| other.name == self.name) {
            return Err(NetworkError::Taken { name: self.name, id: other.id.short().to_owned() });
        }
        let id = Id::random().map_err(NetworkError::Random)?;
        self.ipv6 |= self.subnets.iter().any(Subnet::is_ipv6);
        if self.no_ipv4 && !self.ipv6 {
            return Err(wrong("--ipv4", "false", "it would have no addresses at all: add --ipv6"));
        }
        if let Some(mtu) = self.mtu {
            check_mtu(mtu, self.ipv6)
                .map_err(|problem| NetworkError::Option(format!("--opt mtu={problem}")))?;
        }
        if let Some(egress) = &self.egress {
            egress.check().map_err(NetworkError::Option)?;
        }
        let mut ranges = Vec::new();
        for ipv6 in [false, true] {
            if let Some(subnet) = self.subnet(ipv6, others, host)? {
                ranges.push(Range { subnet, gateway: self.gateway(&subnet)? });
            }
        }
        self.check_gateways(&ranges)?;
        let interface = self.bridge(&id, others, host)?;
        let Self { name, internal, mtu, egress, labels, .. } = self;
        Ok(Network { id, name, created: now(), interface, ranges, internal, mtu, egress, labels })
    }

    fn subnet(
        &self,
        ipv6: bool,
        others: &[Network],
        host: &HostNetwork,
    ) -> Result<Option<Subnet>, NetworkError> {
        let mut given = self.subnets.iter().filter(|subnet| subnet.is_ipv6() == ipv6);
        let (family, is_wanted) = match ipv6 {
            true => ("IPv6", self.ipv6),
            false => ("IPv4", !self.no_ipv4),
        };
        match (given.next(), given.next()) {
            (Some(first), Some(second)) => {
                let problem = format!(
                    "a network has one subnet of {family}, and {first} is that: give one of them"
                );
                Err(wrong("--subnet", second, problem))
            }
            (Some(subnet), None) if !is_wanted => Err(wrong(
                "--subnet",
                subnet,
                "--ipv4=false leaves addresses of IPv4 out: drop one of both",
            )),
            (Some(subnet), None) => {
                let problem = subnet.check().err().or_else(|| meets(subnet, others, host));
                problem.map_or(Ok(Some(*subnet)), |problem| Err(wrong("--subnet", subnet, problem)))
            }
            (None, _) if !is_wanted => Ok(None),
            (None, _) if ipv6 => random(others, host).map(Some),
            (None, _) => from_pool(others, host).map(Some),
        }
    }

    /// The one given, else the first address.
    fn gateway(&self, subnet: &Subnet) -> Result<IpAddr, NetworkError> {
        let mut given = self.gateways.iter().filter(|&&gateway| subnet.contains(gateway));
        match (given.next(), given.next()) {
            (Some(first), Some(second)) => {
                let problem = format!("{first} is the gateway of {subnet}: give one of them");
                Err(wrong("--gateway", second, problem))
            }
            (Some(gateway), None) => match subnet.check_host(*gateway) {
                Ok(()) => Ok(*gateway),
                Err(problem) => {
                    let (first, last) = (subnet.first(), subnet.last());
                    let problem = format!("{problem} in {subnet}: give one of {first} to {last}");
                    Err(wrong("--gateway", gateway, problem))
                }
            },
            (None, _) => Ok(subnet.first()),
        }
    }

    /// Each is some subnet's.
    fn check_gateways(&self, ranges: &[Range]) -> Result<(), NetworkError> {
        let is_lost =
            |gateway: &&IpAddr| !ranges.iter().any(|range| range.subnet.contains(**gateway));
        let Some(gateway) = self.gateways.iter().find(is_lost) else { return Ok(()) };
        let problem = match self.subnets.iter().find(|subnet| subnet.is_ipv6() == gateway.is_ipv6())
        {
            Some(subnet) => {
                format!("is not in {subnet}: give one of {} to {}", subnet.first(), subnet.last())
            }
            None => "is in no subnet that was given: give its network with --subnet".to_owned(),
        };
        Err(wrong("--gateway", gateway, problem))
    }

    /// Its ID makes it different from all others of ours.
    fn bridge(
        &self,
        id: &Id,
        others: &[Network],
        host: &HostNetwork,
    ) -> Result<String, NetworkError> {
        let name = self.interface.clone().unwrap_or_else(|| format!("bh-{}", id.short()));
        let option =
            |problem: String| NetworkError::Option(format!("--opt bridge={name}: {problem}"));
        check_interface(&name).map_err(option)?;
        if let Some(other) = others.iter().find(|other| other.interface == name) {
            return Err(option(format!("it is that of network {}: give another name", other.name)));
        }
        match host.links.values().any(|link| *link == name) {
            true => Err(option("this host has an interface of this name: give another".to_owned())),
            false => Ok(name),
        }
    }
}

/// What a subnet shares addresses with, and what to do.
fn meets(subnet: &Subnet, others: &[Network], host: &HostNetwork) -> Option<String> {
    for other in others {
        if let Some(range) = other.ranges.iter().find(|range| range.subnet.overlaps(subnet)) {
            return Some(format!(
                "overlaps {}, that of network {}: give another",
                range.subnet, other.name
            ));
        }
    }
    let taken = host.taken.iter().find(|taken| taken.subnet.overlaps(subnet))?;
    let of = taken.link.and_then(|link| host.links.get(&link));
    let of = of.map_or_else(
        || "a route of this host".to_owned(),
        |link| format!("which this host reaches by {link}"),
    );
    Some(format!("overlaps {}, {of}: give another", taken.subnet))
}

fn from_pool(others: &[Network], host: &HostNetwork) -> Result<Subnet, NetworkError> {
    let first = Subnet::of(POOL, POOL_PREFIX);
    let mut pool = std::iter::successors(Some(first), Subnet::next)
        .take_while(|next| next.address() < POOL_END);
    pool.find(|subnet| meets(subnet, others, host).is_none()).ok_or(NetworkError::NoSubnet)
}

/// RFC 4193, §3.1: fd00::/8, 40 random bits, and the first subnet of those.
fn random(others: &[Network], host: &HostNetwork) -> Result<Subnet, NetworkError> {
    for _ in 0..ATTEMPTS {
        let mut global = [0u8; 5];
        getrandom(&mut global[..], GetRandomFlags::empty())
            .map_err(|error| NetworkError::Random(error.into()))?;
        let mut address = [0u8; 16];
        address[0] = 0xfd;
        address[1..6].copy_from_slice(&global);
        let subnet = Subnet::of(Ipv6Addr::from(address).into(), 64);
        if meets(&subnet, others, host).is_none() {
            return Ok(subnet);
        }
    }
    Err(NetworkError::NoSubnet)
}

#[cfg(test)]
mod tests;
