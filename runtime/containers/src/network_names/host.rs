//! What the host's network has: names of interfaces, and where packets go (rtnetlink(7)).

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{InfoKind, LinkAttribute, LinkInfo, LinkMessage};
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteMessage};
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with,
};
use rustix::process::geteuid;

use super::subnet::Subnet;
use crate::network::{pasta, usual_addresses};

/// What there is in the network namespace of the calling thread.
#[derive(Clone, Debug, Default)]
pub struct HostNetwork {
    /// Names of interfaces, by number.
    pub links: BTreeMap<u32, String>,
    /// Those that are bridges, by number.
    pub bridges: BTreeSet<u32>,
    /// Those that are ends of pairs, by number.
    pub veths: BTreeSet<u32>,
    /// Which bridge an interface is a port of, both by number.
    pub ports: BTreeMap<u32, u32>,
    /// The networks that it is in or knows the way to, but for the default route.
    pub taken: Vec<Taken>,
}

/// A network of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Its addresses.
    pub subnet: Subnet,
    /// The number of the interface that it is reached by.
    pub link: Option<u32>,
}

/// As much as the kernel sends at once (linux `net/netlink/af_netlink.c`, `netlink_recvmsg`: 32 KiB).
const BUFFER: usize = 32 << 10;

impl HostNetwork {
    /// Looks.
    pub fn read() -> io::Result<Self> {
        let mut host = Self::default();
        let socket = open()?;
        let questions = [
            RouteNetlinkMessage::GetLink(LinkMessage::default()),
            RouteNetlinkMessage::GetAddress(AddressMessage::default()),
            RouteNetlinkMessage::GetRoute(RouteMessage::default()),
        ];
        for question in questions {
            ask(&socket, question, NLM_F_DUMP, |answer| host.note(answer))?;
        }
        Ok(host)
    }

    /// Looks for what a new network of this user's must get along with. Those of a user who is not root are in a home, where
    /// more is taken.
    pub fn read_for_new() -> io::Result<Self> {
        let host = Self::read()?;
        Ok(if geteuid().is_root() { host } else { host.with_home() })
    }

    fn with_home(mut self) -> Self {
        // No interface of the host's has this number: they are of an int's range (linux/netdevice.h, `ifindex`).
        let link = u32::MAX;
        self.links.insert(link, pasta::INTERFACE.to_owned());
        let addresses = usual_addresses().map(|(ip, prefix)| Subnet::of(ip, prefix));
        self.taken.extend(addresses.map(|subnet| Taken { subnet, link: Some(link) }));
        self
    }

    fn note(&mut self, answer: RouteNetlinkMessage) {
        match answer {
            RouteNetlinkMessage::NewLink(link) => {
                for attribute in link.attributes {
                    match attribute {
                        LinkAttribute::IfName(name) => {
                            self.links.insert(link.header.index, name);
                        }
                        LinkAttribute::LinkInfo(info) => {
                            let number = link.header.index;
                            if info.contains(&LinkInfo::Kind(InfoKind::Bridge)) {
                                self.bridges.insert(number);
                            }
                            if info.contains(&LinkInfo::Kind(InfoKind::Veth)) {
                                self.veths.insert(number);
                            }
                        }
                        LinkAttribute::Controller(bridge) => {
                            self.ports.insert(link.header.index, bridge);
                        }
                        _ => {}
                    }
                }
            }
            RouteNetlinkMessage::NewAddress(message) => {
                let address = message.attributes.iter().find_map(|attribute| match attribute {
                    AddressAttribute::Address(address) => Some(*address),
                    _ => None,
                });
                let (prefix, link) = (message.header.prefix_len, Some(message.header.index));
                let taken =
                    address.map(|address| Taken { subnet: Subnet::of(address, prefix), link });
                self.taken.extend(taken);
            }
            RouteNetlinkMessage::NewRoute(message) => {
                let address = message.attributes.iter().find_map(|attribute| match attribute {
                    RouteAttribute::Destination(RouteAddress::Inet(v4)) => Some(IpAddr::from(*v4)),
                    RouteAttribute::Destination(RouteAddress::Inet6(v6)) => Some(IpAddr::from(*v6)),
                    _ => None,
                });
                let link = message.attributes.iter().find_map(|attribute| match attribute {
                    RouteAttribute::Oif(link) => Some(*link),
                    _ => None,
                });
                // The default route is the way to all others.
                if let (Some(address), prefix @ 1..) =
                    (address, message.header.destination_prefix_length)
                {
                    self.taken.push(Taken { subnet: Subnet::of(address, prefix), link });
                }
            }
            _ => {}
        }
    }

    /// The number of an interface, by name.
    pub fn link(&self, name: &str) -> Option<u32> {
        self.links.iter().find(|(_, link)| *link == name).map(|(number, _)| *number)
    }

    /// Whether a bridge has ports.
    pub fn has_ports(&self, bridge: u32) -> bool {
        self.ports.values().any(|other| *other == bridge)
    }
}

/// Removes an interface.
pub fn remove_link(number: u32) -> io::Result<()> {
    let mut link = LinkMessage::default();
    link.header.index = number;
    ask(&open()?, RouteNetlinkMessage::DelLink(link), NLM_F_ACK, |_| {})
}

fn open() -> io::Result<OwnedFd> {
    // NETLINK_ROUTE is the protocol that is meant where none is named.
    Ok(socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?)
}

/// Sends a question to the kernel, and takes its answers. Nobody else can send any: the socket has no other peer.
fn ask(
    socket: &OwnedFd,
    question: RouteNetlinkMessage,
    flags: u16,
    mut take: impl FnMut(RouteNetlinkMessage),
) -> io::Result<()> {
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | flags;
    let mut message = NetlinkMessage::new(header, NetlinkPayload::from(question));
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    sendto(socket, &bytes, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
    let mut buffer = vec![0; BUFFER];
    loop {
        let (_, length) = recv(socket, &mut buffer[..], RecvFlags::TRUNC)?;
        let mut rest = buffer.get(..length).ok_or(io::ErrorKind::InvalidData)?;
        while !rest.is_empty() {
            let answer = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest);
            let answer =
                answer.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            match answer.payload {
                NetlinkPayload::Done(_) => return Ok(()),
                NetlinkPayload::Error(error) => {
                    return error.code.map_or(Ok(()), |_| Err(error.to_io()));
                }
                NetlinkPayload::InnerMessage(answer) => take(answer),
                _ => {}
            }
            // netlink(7), NLMSG_ALIGN: each begins at a multiple of four.
            let length = (answer.header.length as usize).next_multiple_of(4);
            rest = rest.get(length..).unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_has_addresses_of_its_own() {
        let home = HostNetwork::default().with_home();
        for text in ["10.0.2.0/25", "10.0.0.0/8", "fd00:0:0:2::/80"] {
            let subnet = Subnet::parse(text).unwrap();
            assert!(home.taken.iter().any(|taken| taken.subnet.overlaps(&subnet)), "{text}");
        }
        assert!(home.link("bulkhead-up").is_some());
    }

    #[test]
    fn the_loopback_interface_is_found() {
        let host = HostNetwork::read().unwrap();
        let lo = host.link("lo").unwrap();
        assert!(!host.has_ports(lo));
        let own = Subnet::parse("127.0.0.0/8").unwrap();
        assert!(host.taken.iter().any(|taken| taken.subnet == own), "{host:?}");
        assert!(host.taken.iter().all(|taken| taken.subnet.prefix() > 0));
        assert_eq!(host.link("no such link"), None);
        assert!(remove_link(lo).is_err());
    }
}
