//! What a guest is told of a namespace's interfaces.

use std::net::{IpAddr, Ipv6Addr};

use protocol::{Cidr, Interface, MacAddress, Neighbour, Network, Route};

use super::error::Fault;
use super::survey::{Address, Link, Survey, Way};

/// An interface that a VM gets.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Described {
    /// Which one it is in the namespace.
    pub(super) link: Link,
    pub(super) interface: Interface,
}

/// All interfaces that a VM gets: those with an address, as in Kata. What has none is the port of a bridge, or what the
/// kernel puts into each namespace when a module for tunnels is there.
pub(super) fn describe(survey: &Survey) -> Result<Vec<Described>, Fault> {
    let mut all = Vec::new();
    for link in survey.links.iter().filter(|link| !link.is_loopback) {
        let addresses: Vec<&Address> = survey
            .addresses
            .iter()
            .filter(|address| address.link == link.index && !is_guests_own(link, address))
            .collect();
        if !addresses.is_empty() {
            all.push(describe_link(survey, link, &addresses)?);
        }
    }
    if all.is_empty() {
        return Err(Fault::Empty);
    }
    let interfaces = all.iter().map(|described| described.interface.clone()).collect();
    Network { interfaces, ..Network::default() }.check()?;
    Ok(all)
}

fn describe_link(survey: &Survey, link: &Link, addresses: &[&Address]) -> Result<Described, Fault> {
    let name = || link.name.clone();
    let Some(mac) = link.mac else {
        let kind = link.kind.clone().unwrap_or_else(|| "another kind of link".to_owned());
        return Err(Fault::NotEthernet { name: name(), kind });
    };
    if !link.is_up {
        return Err(Fault::Down { name: name() });
    }
    let mut routes = Vec::new();
    for way in survey.ways.iter().filter(|way| way.link == Some(link.index)) {
        if let Some(surplus) = way.surplus {
            return Err(Fault::Route { name: name(), to: way.route.destination, surplus });
        }
        if !comes_by_itself(way, addresses) {
            routes.push(way.route);
        }
    }
    let neighbours = survey.neighbours.iter().filter(|neighbour| neighbour.link == link.index);
    let neighbours = neighbours.map(|one| Neighbour { ip: one.ip, mac: one.mac }).collect();
    let interface = Interface {
        name: name(),
        mac,
        mtu: link.mtu,
        addresses: addresses.iter().map(|address| told(address)).collect(),
        routes,
        neighbours,
    };
    Ok(Described { link: link.clone(), interface })
}

/// Whether the guest's kernel gives itself this address: RFC 4291, appendix A, of the MAC, which the guest has as well.
fn is_guests_own(link: &Link, address: &Address) -> bool {
    let (IpAddr::V6(ip), Some(MacAddress([a, b, c, d, e, f]))) = (address.address.ip, link.mac)
    else {
        return false;
    };
    let half = |high: u8, low: u8| u16::from_be_bytes([high, low]);
    let tail = [half(a ^ 2, b), half(c, 0xff), half(0xfe, d), half(e, f)];
    ip == Ipv6Addr::new(0xfe80, 0, 0, 0, tail[0], tail[1], tail[2], tail[3])
}

/// An address as the guest is told it: its kernel makes the route to the network, if there is one here.
fn told(address: &Address) -> Cidr {
    let ip = address.address.ip;
    let all = if ip.is_ipv4() { 32 } else { 128 };
    Cidr { ip, prefix: if address.has_network { address.address.prefix } else { all } }
}

/// Whether the guest has the route with its addresses: to their networks, and to that of the link-local ones.
fn comes_by_itself(way: &Way, addresses: &[&Address]) -> bool {
    let Route { destination, gateway, .. } = way.route;
    let link_local =
        Cidr { ip: IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0)), prefix: 64 };
    let with_address =
        |address: &&Address| address.has_network && network(address.address) == Some(destination);
    way.is_kernels
        && gateway.is_none()
        && (destination == link_local || addresses.iter().any(with_address))
}

/// The network of an address.
fn network(Cidr { ip, prefix }: Cidr) -> Option<Cidr> {
    let ip = match ip {
        IpAddr::V4(ip) => {
            let mask = u32::MAX.checked_shl(32_u32.checked_sub(prefix.into())?).unwrap_or(0);
            IpAddr::V4((ip.to_bits() & mask).into())
        }
        IpAddr::V6(ip) => {
            let mask = u128::MAX.checked_shl(128_u32.checked_sub(prefix.into())?).unwrap_or(0);
            IpAddr::V6((ip.to_bits() & mask).into())
        }
    };
    Some(Cidr { ip, prefix })
}

#[cfg(test)]
mod tests;
