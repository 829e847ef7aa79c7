//! A frame taken apart, as far as the filter has to know it: Ethernet II, ARP, IPv4 and IPv6, TCP, UDP and ICMP.
//!
//! What has parts that the filter would not understand, or two readers might understand differently, is refused as a
//! whole: tags, options, extension headers, fragments, lengths that do not agree.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use egress_rules::Reason;

/// Destination, source, type (IEEE 802.3 §3.2).
pub(super) const ETHERNET_HEADER: usize = 14;
/// The shortest frame without its checksum, up to which zeros follow a packet (IEEE 802.3 §4.2.3.3).
const SHORTEST_FRAME: usize = 60;
/// Ethertypes (IANA, "IEEE 802 Numbers").
pub(super) const ETHERTYPE_IPV4: u16 = 0x0800;
pub(super) const ETHERTYPE_ARP: u16 = 0x0806;
pub(super) const ETHERTYPE_IPV6: u16 = 0x86dd;
/// An IPv4 header without options (RFC 791 §3.1).
pub(super) const IPV4_HEADER: usize = 20;
/// An IPv6 header (RFC 8200 §3).
pub(super) const IPV6_HEADER: usize = 40;
/// A TCP header without options (RFC 9293 §3.1).
pub(super) const TCP_HEADER: usize = 20;
/// A UDP header (RFC 768).
pub(super) const UDP_HEADER: usize = 8;
/// Type, code, checksum, and four bytes more (RFC 792, RFC 4443 §2.1).
const ICMP_HEADER: usize = 8;
/// Protocols (IANA, "Protocol Numbers").
pub(super) const ICMP: u8 = 1;
pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;
pub(super) const ICMPV6: u8 = 58;
/// `MF` and the offset in an IPv4 header's seventh and eighth byte (RFC 791 §3.1).
const FRAGMENT: u16 = 0x3fff;
/// Headers that may stand between an IPv6 header and the packet's own (IANA, "IPv6 Extension Header Types").
const EXTENSION_HEADERS: [u8; 12] = [0, 43, 44, 50, 51, 59, 60, 135, 139, 140, 253, 254];

/// A hardware address.
pub(super) type Mac = [u8; 6];

/// A frame's ends, and what it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    pub destination: Mac,
    pub source: Mac,
    pub ethertype: u16,
    pub payload: &'a [u8],
}

/// An IP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Packet<'a> {
    pub source: IpAddr,
    pub destination: IpAddr,
    pub hop_limit: u8,
    pub transport: Transport<'a>,
}

/// What an IP packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport<'a> {
    Tcp(Tcp<'a>),
    Udp(Udp<'a>),
    /// The whole message: [`ICMP_HEADER`] bytes at least. Of IPv4 or IPv6, as the addresses are.
    Icmp(&'a [u8]),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tcp<'a> {
    pub source: u16,
    pub destination: u16,
    pub sequence: u32,
    pub acknowledgment: u32,
    pub flags: u8,
    pub payload: &'a [u8],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Udp<'a> {
    pub source: u16,
    pub destination: u16,
    pub payload: &'a [u8],
}

/// TCP's flags (RFC 9293 §3.1).
pub(super) mod flag {
    pub const SYN: u8 = 2;
    pub const RST: u8 = 4;
    pub const ACK: u8 = 16;
    pub const URG: u8 = 32;
}

/// What is known of a packet that is refused, for the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub reason: Reason,
    pub destination: Option<IpAddr>,
    /// The number of the IP protocol.
    pub protocol: Option<u8>,
}

pub(super) fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    bytes.get(offset..)?.first_chunk().copied().map(u16::from_be_bytes)
}

pub(super) fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..)?.first_chunk().copied().map(u32::from_be_bytes)
}

pub(super) fn ipv4_at(bytes: &[u8], offset: usize) -> Option<Ipv4Addr> {
    u32_at(bytes, offset).map(Ipv4Addr::from)
}

pub(super) fn ipv6_at(bytes: &[u8], offset: usize) -> Option<Ipv6Addr> {
    bytes.get(offset..)?.first_chunk::<16>().copied().map(Ipv6Addr::from)
}

pub(super) fn mac_at(bytes: &[u8], offset: usize) -> Option<Mac> {
    bytes.get(offset..)?.first_chunk().copied()
}

/// The frame's own header; `None` if it has not even that.
pub(super) fn frame(bytes: &[u8]) -> Option<Frame<'_>> {
    Some(Frame {
        destination: mac_at(bytes, 0)?,
        source: mac_at(bytes, 6)?,
        ethertype: u16_at(bytes, 12)?,
        payload: bytes.get(ETHERNET_HEADER..)?,
    })
}

/// A packet of so many bytes, without the zeros that fill a short frame. More than those is nobody's, and so refused.
pub(super) fn without_padding(payload: &[u8], length: usize) -> Option<&[u8]> {
    let (packet, padding) = payload.split_at_checked(length)?;
    let short = payload.len() <= SHORTEST_FRAME - ETHERNET_HEADER;
    (padding.is_empty() || short && padding.iter().all(|byte| *byte == 0)).then_some(packet)
}

/// The IP packet in a frame of that type.
pub(super) fn packet<'a>(frame: &Frame<'a>) -> Result<Packet<'a>, Refused> {
    if frame.ethertype == ETHERTYPE_IPV4 { ipv4(frame.payload) } else { ipv6(frame.payload) }
}

fn ipv4(bytes: &[u8]) -> Result<Packet<'_>, Refused> {
    let destination = ipv4_at(bytes, 16).map(IpAddr::V4);
    let protocol = bytes.get(9).copied();
    let refuse = |reason| Refused { reason, destination, protocol };
    let malformed = refuse(Reason::Malformed);
    let (Some(source), Some(destination), Some(protocol)) =
        (ipv4_at(bytes, 12), destination, protocol)
    else {
        return Err(malformed);
    };
    if bytes[0] >> 4 != 4 {
        return Err(malformed);
    }
    if bytes[0] & 15 != 5 {
        return Err(refuse(Reason::Options));
    }
    let length = u16_at(bytes, 2).map(usize::from).ok_or(malformed)?;
    let packet = without_padding(bytes, length).ok_or(malformed)?;
    if u16_at(bytes, 6).is_none_or(|word| word & FRAGMENT != 0) {
        return Err(refuse(Reason::Fragment));
    }
    let rest = packet.get(IPV4_HEADER..).ok_or(malformed)?;
    let transport = transport(protocol, ICMP, rest).map_err(refuse)?;
    Ok(Packet { source: source.into(), destination, hop_limit: bytes[8], transport })
}

fn ipv6(bytes: &[u8]) -> Result<Packet<'_>, Refused> {
    let destination = ipv6_at(bytes, 24).map(IpAddr::V6);
    let protocol = bytes.get(6).copied();
    let refuse = |reason| Refused { reason, destination, protocol };
    let malformed = refuse(Reason::Malformed);
    let (Some(source), Some(destination), Some(protocol)) =
        (ipv6_at(bytes, 8), destination, protocol)
    else {
        return Err(malformed);
    };
    let length = u16_at(bytes, 4).map(usize::from).ok_or(malformed)?;
    if bytes[0] >> 4 != 6 {
        return Err(malformed);
    }
    let packet = without_padding(bytes, IPV6_HEADER + length).ok_or(malformed)?;
    if EXTENSION_HEADERS.contains(&protocol) {
        return Err(refuse(Reason::ExtensionHeader));
    }
    let rest = packet.get(IPV6_HEADER..).ok_or(malformed)?;
    let transport = transport(protocol, ICMPV6, rest).map_err(refuse)?;
    Ok(Packet { source: source.into(), destination, hop_limit: bytes[7], transport })
}

fn transport(protocol: u8, icmp: u8, bytes: &[u8]) -> Result<Transport<'_>, Reason> {
    match protocol {
        TCP => tcp(bytes).map(Transport::Tcp),
        UDP => udp(bytes).map(Transport::Udp),
        _ if protocol == icmp => (bytes.len() >= ICMP_HEADER).then_some(Transport::Icmp(bytes)),
        _ => return Err(Reason::Protocol),
    }
    .ok_or(Reason::Malformed)
}

fn tcp(bytes: &[u8]) -> Option<Tcp<'_>> {
    let header = usize::from(bytes.get(12)? >> 4) * 4;
    Some(Tcp {
        source: u16_at(bytes, 0)?,
        destination: u16_at(bytes, 2)?,
        sequence: u32_at(bytes, 4)?,
        acknowledgment: u32_at(bytes, 8)?,
        flags: *bytes.get(13)?,
        payload: bytes
            .get(header..)
            .filter(|_| header >= TCP_HEADER && bytes.len() >= TCP_HEADER)?,
    })
}

fn udp(bytes: &[u8]) -> Option<Udp<'_>> {
    let length = usize::from(u16_at(bytes, 4)?);
    Some(Udp {
        source: u16_at(bytes, 0)?,
        destination: u16_at(bytes, 2)?,
        payload: bytes.get(UDP_HEADER..).filter(|_| length == bytes.len())?,
    })
}
