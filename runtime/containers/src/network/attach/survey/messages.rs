//! What the kernel says of one thing, without what doesn't matter.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netlink_packet_route::address::{AddressAttribute, AddressFlags};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkInfo, LinkLayerType};
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourState,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteProtocol, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use protocol::{Cidr, MacAddress, Route};

use super::{Address, Link, LinkNeighbour, Way};

/// RT_TABLE_UNSPEC, RT_TABLE_DEFAULT and RT_TABLE_LOCAL, linux/rtnetlink.h: what is in them is not for a guest, or is
/// the kernel's own and there with each address.
const KERNELS_TABLES: [u32; 3] = [0, 253, 255];

pub(super) fn link(message: RouteNetlinkMessage) -> Option<Link> {
    let RouteNetlinkMessage::NewLink(message) = message else { return None };
    let header = &message.header;
    let mut link = Link {
        index: header.index,
        name: String::new(),
        kind: None,
        is_loopback: header.flags.contains(LinkFlags::Loopback),
        mac: None,
        mtu: 0,
        is_up: header.flags.contains(LinkFlags::Up),
    };
    for attribute in message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name = name,
            LinkAttribute::Mtu(mtu) => link.mtu = mtu,
            LinkAttribute::Address(bytes) if header.link_layer_type == LinkLayerType::Ether => {
                link.mac = bytes.try_into().ok().map(MacAddress);
            }
            LinkAttribute::LinkInfo(infos) => {
                for info in infos {
                    if let LinkInfo::Kind(kind) = info {
                        link.kind = Some(kind.to_string());
                    }
                }
            }
            _ => {}
        }
    }
    Some(link)
}

/// An address that can be used: none that somebody else was found to have, and none that is there for a day only
/// (RFC 8981), which the guest makes itself if it likes.
pub(super) fn address(message: RouteNetlinkMessage) -> Option<Address> {
    let RouteNetlinkMessage::NewAddress(message) = message else { return None };
    let mut flags = AddressFlags::from_bits_retain(message.header.flags.bits().into());
    let (mut local, mut other) = (None, None);
    for attribute in message.attributes {
        match attribute {
            AddressAttribute::Local(ip) => local = Some(ip),
            AddressAttribute::Address(ip) => other = Some(ip),
            AddressAttribute::Flags(all) => flags = all,
            _ => {}
        }
    }
    // linux/if_addr.h: where they differ, IFA_ADDRESS is the other end's. IPv6 has no IFA_LOCAL without a peer.
    let ip = local.or(other)?;
    let has_peer = other.is_some_and(|other| other != ip);
    // IFA_F_TEMPORARY is IFA_F_SECONDARY, which for IPv4 says something else.
    let is_temporary = ip.is_ipv6() && flags.contains(AddressFlags::Secondary);
    if flags.contains(AddressFlags::Dadfailed) || is_temporary {
        return None;
    }
    let has_network = !has_peer && !flags.contains(AddressFlags::Noprefixroute);
    let address = Cidr { ip, prefix: message.header.prefix_len };
    Some(Address { link: message.header.index, address, has_network })
}

/// A route.
pub(super) enum Found {
    Way(Way),
    /// One that leads nowhere, or that not everything takes.
    Other,
}

pub(super) fn route(message: RouteNetlinkMessage) -> Option<Found> {
    let RouteNetlinkMessage::NewRoute(message) = message else { return None };
    let header = &message.header;
    let named = message.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Table(table) => Some(*table),
        _ => None,
    });
    let table = named.unwrap_or(header.table.into());
    // What IPv6 keeps of its neighbours' advice.
    if KERNELS_TABLES.contains(&table) || header.flags.contains(RouteFlags::Cloned) {
        return None;
    }
    if table != u32::from(RouteHeader::RT_TABLE_MAIN) || header.kind != RouteType::Unicast {
        return Some(Found::Other);
    }
    Some(Found::Way(way(message)?))
}

fn way(message: RouteMessage) -> Option<Way> {
    let header = message.header;
    let unspecified = match header.address_family {
        AddressFamily::Inet => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        AddressFamily::Inet6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        _ => return None,
    };
    let mut way = Way {
        link: None,
        route: Route {
            destination: Cidr { ip: unspecified, prefix: header.destination_prefix_length },
            gateway: None,
            onlink: false,
            metric: 0,
        },
        is_kernels: header.protocol == RouteProtocol::Kernel,
        surplus: None,
    };
    if header.tos != 0 || header.source_prefix_length != 0 {
        way.surplus = Some("is for some packets only, by their source or type of service");
    }
    for attribute in message.attributes {
        match attribute {
            RouteAttribute::Oif(index) => way.link = Some(index),
            RouteAttribute::Destination(to) => way.route.destination.ip = address_of(to)?,
            RouteAttribute::Gateway(gateway) => way.route.gateway = Some(address_of(gateway)?),
            RouteAttribute::Priority(metric) => way.route.metric = metric,
            RouteAttribute::MultiPath(hops) => {
                way.link = hops.first().map(|hop| hop.interface_index);
                way.surplus = Some("has several next hops");
            }
            RouteAttribute::Via(_) => {
                way.surplus = Some("has a next hop of another family");
            }
            RouteAttribute::Encap(_) | RouteAttribute::EncapType(_) => {
                way.surplus = Some("is a tunnel");
            }
            _ => {}
        }
    }
    way.route.onlink = way.route.gateway.is_some() && header.flags.contains(RouteFlags::Onlink);
    Some(way)
}

fn address_of(address: RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(ip) => Some(ip.into()),
        RouteAddress::Inet6(ip) => Some(ip.into()),
        _ => None,
    }
}

pub(super) fn neighbour(message: RouteNetlinkMessage) -> Option<LinkNeighbour> {
    let RouteNetlinkMessage::NewNeighbour(message) = message else { return None };
    let header = &message.header;
    let by_hand = header.state == NeighbourState::Permanent;
    if !by_hand || header.flags.contains(NeighbourFlags::Proxy) {
        return None;
    }
    let (mut ip, mut mac) = (None, None);
    for attribute in message.attributes {
        match attribute {
            NeighbourAttribute::Destination(NeighbourAddress::Inet(v4)) => ip = Some(v4.into()),
            NeighbourAttribute::Destination(NeighbourAddress::Inet6(v6)) => ip = Some(v6.into()),
            NeighbourAttribute::LinkLayerAddress(bytes) => mac = bytes.try_into().ok(),
            _ => {}
        }
    }
    Some(LinkNeighbour { link: header.ifindex, ip: ip?, mac: MacAddress(mac?) })
}
