//! What there is in a namespace, as far as it matters to a VM. The namespace is somebody else's: all of it is bounded.

mod messages;

use std::net::IpAddr;

use netlink_packet_route::address::AddressMessage;
use netlink_packet_route::link::{LinkAttribute, LinkExtentMask, LinkMessage};
use netlink_packet_route::neighbour::NeighbourMessage;
use netlink_packet_route::route::RouteMessage;
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use protocol::{Cidr, MacAddress, Route};

use super::error::Fault;
use crate::network::netlink::Netlink;

/// How much there may be of each, ours: a container's namespace has ten of a kind where it has many. A guest is told
/// less still (protocol's `Network::check`).
pub(super) const MAX_LINKS: usize = 256;
pub(super) const MAX_ADDRESSES: usize = 1024;
pub(super) const MAX_ROUTES: usize = 4096;
pub(super) const MAX_NEIGHBOURS: usize = 4096;

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Survey {
    pub(super) links: Vec<Link>,
    pub(super) addresses: Vec<Address>,
    pub(super) ways: Vec<Way>,
    pub(super) neighbours: Vec<LinkNeighbour>,
    /// How many routes of other kinds and tables there are.
    pub(super) left_out: usize,
}

/// A network device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) index: u32,
    pub(super) name: String,
    /// As `ip link add` calls it. What is there by itself has none.
    pub(super) kind: Option<String>,
    pub(super) is_loopback: bool,
    /// Of a device of Ethernet.
    pub(super) mac: Option<MacAddress>,
    /// In bytes.
    pub(super) mtu: u32,
    pub(super) is_up: bool,
}

/// An address of a link's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) link: u32,
    pub(super) address: Cidr,
    /// Whether the kernel has made the route to its network: there is no `peer`, and no `noprefixroute`.
    pub(super) has_network: bool,
}

/// A route of the main table, of the usual kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Way {
    /// The device it leads to, if it is one.
    pub(super) link: Option<u32>,
    pub(super) route: Route,
    /// Whether the kernel has made it.
    pub(super) is_kernels: bool,
    /// What it has that a guest's cannot have.
    pub(super) surplus: Option<&'static str>,
}

/// Somebody on a link whose hardware address is set by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LinkNeighbour {
    pub(super) link: u32,
    pub(super) ip: IpAddr,
    pub(super) mac: MacAddress,
}

/// Looks at the namespace that this thread is in.
pub(super) fn survey(netlink: &mut Netlink) -> Result<Survey, Fault> {
    let mut survey = Survey::default();
    let mut all_links = LinkMessage::default();
    // Without numbers of packets, which nobody reads.
    all_links.attributes.push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
    survey.links = netlink
        .list(&RouteNetlinkMessage::GetLink(all_links), MAX_LINKS, messages::link)
        .map_err(Fault::reading("interfaces"))?;
    let all_addresses = RouteNetlinkMessage::GetAddress(AddressMessage::default());
    survey.addresses = netlink
        .list(&all_addresses, MAX_ADDRESSES, messages::address)
        .map_err(Fault::reading("addresses"))?;
    for family in [AddressFamily::Inet, AddressFamily::Inet6] {
        let mut all_routes = RouteMessage::default();
        all_routes.header.address_family = family;
        let found = netlink
            .list(&RouteNetlinkMessage::GetRoute(all_routes), MAX_ROUTES, messages::route)
            .map_err(Fault::reading("routes"))?;
        for found in found {
            match found {
                messages::Found::Way(way) => survey.ways.push(way),
                messages::Found::Other => survey.left_out += 1,
            }
        }
    }
    let all_neighbours = RouteNetlinkMessage::GetNeighbour(NeighbourMessage::default());
    survey.neighbours = netlink
        .list(&all_neighbours, MAX_NEIGHBOURS, messages::neighbour)
        .map_err(Fault::reading("neighbours"))?;
    Ok(survey)
}
