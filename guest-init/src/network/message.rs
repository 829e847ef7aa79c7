//! The messages of rtnetlink(7) that an interface takes, byte by byte. Numbers are the machine's own.

use std::net::{IpAddr, Ipv4Addr};

use protocol::{Cidr, MacAddress, Neighbour, Route};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::Link;

/// linux/netlink.h: `struct nlmsghdr`.
#[derive(Clone, Copy, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub(super) struct Header {
    /// Of the message, this header included.
    pub(super) length: u32,
    pub(super) kind: u16,
    flags: u16,
    pub(super) sequence: u32,
    port: u32,
}

/// linux/netlink.h: `struct nlattr`, which is linux/rtnetlink.h's `struct rtattr`.
#[derive(Clone, Copy, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
struct Attribute {
    /// Of the attribute, this header included.
    length: u16,
    kind: u16,
}

/// linux/rtnetlink.h: `struct ifinfomsg`.
#[derive(Clone, Copy, Default, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
struct LinkBody {
    family: u8,
    pad: u8,
    kind: u16,
    index: u32,
    flags: u32,
    /// Which of the flags are to change.
    change: u32,
}

/// linux/if_addr.h: `struct ifaddrmsg`.
#[derive(Clone, Copy, Immutable, IntoBytes)]
#[repr(C)]
struct AddressBody {
    family: u8,
    prefix: u8,
    flags: u8,
    scope: u8,
    index: u32,
}

/// linux/rtnetlink.h: `struct rtmsg`.
#[derive(Clone, Copy, Default, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
struct RouteBody {
    family: u8,
    destination_prefix: u8,
    source_prefix: u8,
    tos: u8,
    table: u8,
    protocol: u8,
    scope: u8,
    kind: u8,
    flags: u32,
}

/// linux/neighbour.h: `struct ndmsg`.
#[derive(Clone, Copy, Default, Immutable, IntoBytes)]
#[repr(C)]
struct NeighbourBody {
    family: u8,
    pad: [u8; 3],
    index: u32,
    state: u16,
    flags: u8,
    kind: u8,
}

/// RTNH_F_ONLINK, linux/rtnetlink.h.
const ONLINK: u32 = 4;

/// NLMSG_ALIGNTO and NLA_ALIGNTO, linux/netlink.h.
const ALIGNMENT: usize = 4;

/// A request under way.
pub(super) struct Request {
    bytes: Vec<u8>,
    kind: u16,
    flags: i32,
}

impl Request {
    fn new(kind: u16, flags: i32, body: &(impl IntoBytes + Immutable)) -> Self {
        let mut bytes = vec![0; size_of::<Header>()];
        bytes.extend(body.as_bytes());
        Self { bytes, kind, flags: libc::NLM_F_REQUEST | flags }
    }

    fn with(mut self, kind: u16, value: &[u8]) -> Self {
        // The longest value is an interface's name.
        let length = (size_of::<Attribute>() + value.len()) as u16;
        self.bytes.extend(Attribute { length, kind }.as_bytes());
        self.bytes.extend(value);
        self.bytes.resize(self.bytes.len().next_multiple_of(ALIGNMENT), 0);
        self
    }

    /// All of it.
    pub(super) fn finish(mut self, sequence: u32) -> Vec<u8> {
        let header = Header {
            length: self.bytes.len() as u32,
            kind: self.kind,
            flags: self.flags as u16,
            sequence,
            port: 0,
        };
        self.bytes[..size_of::<Header>()].copy_from_slice(header.as_bytes());
        self.bytes
    }
}

/// Lists all devices.
pub(super) fn list_links() -> Request {
    Request::new(libc::RTM_GETLINK, libc::NLM_F_DUMP, &LinkBody::default())
}

/// Gives a device another name. It must be down, or know how to take one while it is up.
pub(super) fn rename(index: u32, name: &str) -> Request {
    let body = LinkBody { index, ..LinkBody::default() };
    let name = [name.as_bytes(), &[0]].concat();
    Request::new(libc::RTM_NEWLINK, libc::NLM_F_ACK, &body).with(libc::IFLA_IFNAME, &name)
}

/// Raises a device.
pub(super) fn up(index: u32, mtu: Option<u32>) -> Request {
    let up = libc::IFF_UP as u32;
    let body = LinkBody { index, flags: up, change: up, ..LinkBody::default() };
    let request = Request::new(libc::RTM_NEWLINK, libc::NLM_F_ACK, &body);
    match mtu {
        Some(mtu) => request.with(libc::IFLA_MTU, mtu.as_bytes()),
        None => request,
    }
}

/// Gives a device an address, which is nobody else's: the host has seen to that (IFA_F_NODAD).
pub(super) fn address(index: u32, Cidr { ip, prefix }: Cidr) -> Request {
    let flags = if ip.is_ipv6() { libc::IFA_F_NODAD as u8 } else { 0 };
    let scope = libc::RT_SCOPE_UNIVERSE;
    let body = AddressBody { family: family(ip), prefix, flags, scope, index };
    let request = Request::new(libc::RTM_NEWADDR, NEW, &body)
        .with(libc::IFA_LOCAL, &octets(ip))
        .with(libc::IFA_ADDRESS, &octets(ip));
    match ip {
        // RFC 3021: networks of two addresses have no broadcast.
        IpAddr::V4(ip) if prefix < 31 => {
            let broadcast = Ipv4Addr::from_bits(ip.to_bits() | u32::MAX >> prefix);
            request.with(libc::IFA_BROADCAST, &broadcast.octets())
        }
        _ => request,
    }
}

/// Says for good where a machine on a device's link gets its frames.
pub(super) fn neighbour(index: u32, Neighbour { ip, mac }: Neighbour) -> Request {
    let state = libc::NUD_PERMANENT;
    let body = NeighbourBody { family: family(ip), index, state, ..NeighbourBody::default() };
    Request::new(libc::RTM_NEWNEIGH, NEW, &body)
        .with(libc::NDA_DST, &octets(ip))
        .with(libc::NDA_LLADDR, &mac.0)
}

/// Adds a route through a device.
pub(super) fn route(index: u32, route: &Route) -> Request {
    let Route { destination, gateway, onlink, metric } = *route;
    let body = RouteBody {
        family: family(destination.ip),
        destination_prefix: destination.prefix,
        table: libc::RT_TABLE_MAIN,
        protocol: libc::RTPROT_STATIC,
        scope: match (destination.ip, gateway) {
            (IpAddr::V4(_), None) => libc::RT_SCOPE_LINK,
            _ => libc::RT_SCOPE_UNIVERSE,
        },
        kind: libc::RTN_UNICAST,
        flags: if onlink { ONLINK } else { 0 },
        ..RouteBody::default()
    };
    let mut request = Request::new(libc::RTM_NEWROUTE, NEW, &body)
        .with(libc::RTA_DST, &octets(destination.ip))
        .with(libc::RTA_OIF, index.as_bytes());
    if let Some(gateway) = gateway {
        request = request.with(libc::RTA_GATEWAY, &octets(gateway));
    }
    if metric > 0 {
        request = request.with(libc::RTA_PRIORITY, metric.as_bytes());
    }
    request
}

/// Asks which way packets to an address go.
pub(super) fn way_to(ip: IpAddr) -> Request {
    let address = octets(ip);
    let bits = address.len() as u8 * 8;
    let body = RouteBody { family: family(ip), destination_prefix: bits, ..RouteBody::default() };
    Request::new(libc::RTM_GETROUTE, libc::NLM_F_ACK, &body).with(libc::RTA_DST, &address)
}

/// Whether the way of an RTM_NEWROUTE message stays on this machine.
pub(super) fn is_local(body: &[u8]) -> bool {
    RouteBody::read_from_prefix(body).is_ok_and(|(route, _)| route.kind == libc::RTN_LOCAL)
}

/// For what must not be there yet.
const NEW: i32 = libc::NLM_F_ACK | libc::NLM_F_CREATE | libc::NLM_F_EXCL;

fn family(ip: IpAddr) -> u8 {
    // Both are small numbers.
    (if ip.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 }) as u8
}

fn octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

/// The messages of a datagram, each with its body. What claims to be longer than the datagram ends it.
pub(super) fn messages(mut bytes: &[u8]) -> impl Iterator<Item = (Header, &[u8])> {
    std::iter::from_fn(move || {
        let (header, _) = Header::read_from_prefix(bytes).ok()?;
        let body = bytes.get(size_of::<Header>()..header.length as usize)?;
        bytes = bytes.get((header.length as usize).next_multiple_of(ALIGNMENT)..).unwrap_or(&[]);
        Some((header, body))
    })
}

fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let (Attribute { length, kind }, _) = Attribute::read_from_prefix(bytes).ok()?;
        let value = bytes.get(size_of::<Attribute>()..length.into())?;
        bytes = bytes.get(usize::from(length).next_multiple_of(ALIGNMENT)..).unwrap_or(&[]);
        Some((kind, value))
    })
}

/// The device that an RTM_NEWLINK message describes.
pub(super) fn link(body: &[u8]) -> Option<Link> {
    let (LinkBody { index, kind, .. }, rest) = LinkBody::read_from_prefix(body).ok()?;
    let mut link = Link { index, name: String::new(), mac: None };
    for (attribute, value) in attributes(rest) {
        match attribute {
            libc::IFLA_IFNAME => {
                let name = value.split(|&byte| byte == 0).next().unwrap_or_default();
                link.name = String::from_utf8_lossy(name).into_owned();
            }
            libc::IFLA_ADDRESS if kind == libc::ARPHRD_ETHER => {
                link.mac = value.try_into().ok().map(MacAddress);
            }
            _ => {}
        }
    }
    Some(link)
}

/// What an NLMSG_ERROR or NLMSG_DONE message says: `struct nlmsgerr` begins with a negative errno(3), or 0.
pub(super) fn errno(body: &[u8]) -> i32 {
    i32::read_from_prefix(body).map_or(0, |(error, _)| error.saturating_neg())
}

#[cfg(test)]
mod tests;
