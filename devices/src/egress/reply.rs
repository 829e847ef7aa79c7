//! Frames for the guest in somebody else's stead.

use std::net::IpAddr;

use super::packet::{
    ETHERTYPE_IPV4, ETHERTYPE_IPV6, Frame, IPV4_HEADER, Packet, TCP, TCP_HEADER, Tcp, UDP,
    UDP_HEADER, Udp, flag,
};

/// How far a reply could go: as far as Linux's packets (`IPDEFTTL`, `include/net/ip.h`).
const HOP_LIMIT: u8 = 64;

/// A datagram back to who sent this one.
pub(super) fn datagram(
    frame: &Frame<'_>,
    packet: &Packet<'_>,
    udp: &Udp<'_>,
    message: &[u8],
) -> Vec<u8> {
    let mut segment = vec![0; UDP_HEADER];
    segment[0..2].copy_from_slice(&udp.destination.to_be_bytes());
    segment[2..4].copy_from_slice(&udp.source.to_be_bytes());
    // A question and a header: far shorter than 64 KiB.
    segment[4..6].copy_from_slice(&((UDP_HEADER + message.len()) as u16).to_be_bytes());
    segment.extend_from_slice(message);
    // No checksum at all is 0, and one that is 0 is sent with all bits set (RFC 768).
    let sum = match checksum(packet, UDP, &segment) {
        0 => u16::MAX,
        sum => sum,
    };
    segment[6..8].copy_from_slice(&sum.to_be_bytes());
    ip(frame, packet, UDP, &segment)
}

/// The end of the connection of a segment that has an acknowledgment (RFC 9293 §3.5.2).
pub(super) fn reset(frame: &Frame<'_>, packet: &Packet<'_>, tcp: &Tcp<'_>) -> Vec<u8> {
    segment(frame, packet, tcp, (flag::RST, 0, 0))
}

/// A segment without data, back to who sent this one, where that expects it next: with these flags, this acknowledgment and
/// this window.
pub(super) fn segment(
    frame: &Frame<'_>,
    packet: &Packet<'_>,
    tcp: &Tcp<'_>,
    (flags, acknowledgment, window): (u8, u32, u16),
) -> Vec<u8> {
    let mut segment = [0; TCP_HEADER];
    segment[0..2].copy_from_slice(&tcp.destination.to_be_bytes());
    segment[2..4].copy_from_slice(&tcp.source.to_be_bytes());
    segment[4..8].copy_from_slice(&tcp.acknowledgment.to_be_bytes());
    segment[8..12].copy_from_slice(&acknowledgment.to_be_bytes());
    segment[12] = (TCP_HEADER as u8 / 4) << 4;
    segment[13] = flags;
    segment[14..16].copy_from_slice(&window.to_be_bytes());
    let sum = checksum(packet, TCP, &segment);
    segment[16..18].copy_from_slice(&sum.to_be_bytes());
    ip(frame, packet, TCP, &segment)
}

fn ip(frame: &Frame<'_>, packet: &Packet<'_>, protocol: u8, segment: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(frame.source);
    bytes.extend(frame.destination);
    match (packet.destination, packet.source) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            bytes.extend(ETHERTYPE_IPV4.to_be_bytes());
            let mut header = [0; IPV4_HEADER];
            header[0] = 0x45;
            header[2..4].copy_from_slice(&((IPV4_HEADER + segment.len()) as u16).to_be_bytes());
            header[8..10].copy_from_slice(&[HOP_LIMIT, protocol]);
            header[12..16].copy_from_slice(&from.octets());
            header[16..20].copy_from_slice(&to.octets());
            let sum = !fold(add(0, &header));
            header[10..12].copy_from_slice(&sum.to_be_bytes());
            bytes.extend(header);
        }
        (from, to) => {
            bytes.extend(ETHERTYPE_IPV6.to_be_bytes());
            bytes.extend([0x60, 0, 0, 0]);
            bytes.extend((segment.len() as u16).to_be_bytes());
            bytes.extend([protocol, HOP_LIMIT]);
            bytes.extend(octets(from));
            bytes.extend(octets(to));
        }
    }
    bytes.extend_from_slice(segment);
    bytes
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

/// Over the segment, and the addresses, the length and the protocol (RFC 9293 §3.1, RFC 8200 §8.1). Which of the two
/// addresses is the source makes no difference.
fn checksum(packet: &Packet<'_>, protocol: u8, segment: &[u8]) -> u16 {
    let sum = add(0, &octets(packet.source));
    let sum = add(sum, &octets(packet.destination));
    let sum = sum + u32::from(protocol) + segment.len() as u32;
    !fold(add(sum, segment))
}

/// The sum of big-endian words (RFC 1071). Replies are far too short for more than 32 bits.
pub(super) fn add(sum: u32, bytes: &[u8]) -> u32 {
    let word = |pair: &[u8]| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
    sum + bytes.chunks(2).map(word).sum::<u32>()
}

pub(super) fn fold(mut sum: u32) -> u16 {
    while sum > u32::from(u16::MAX) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}
