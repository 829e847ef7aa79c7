//! How a guest asks who on the link has an address, and says which are its own: ARP and Neighbor Discovery.
//!
//! Questions pass if they come from the guest's own addresses; claims if they are about those. Nothing of these
//! messages has room for anything else, so that they carry nothing to others but the question.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::packet::{
    ETHERTYPE_IPV4, Frame, Mac, Packet, ipv4_at, ipv6_at, mac_at, u16_at, without_padding,
};

/// An ARP packet for Ethernet and IPv4 (RFC 826).
const ARP_PACKET: usize = 28;
/// `ar$hrd` of Ethernet, `ar$op` of a question and an answer (RFC 826).
const ARP_ETHERNET: u16 = 1;
const ARP_REQUEST: u16 = 1;
const ARP_REPLY: u16 = 2;
/// Messages (RFC 4861 §4.1, §4.3, §4.4). Those of routers, §4.2 and §4.5, are none of a guest's.
pub(super) const ROUTER_SOLICITATION: u8 = 133;
pub(super) const NEIGHBOR_SOLICITATION: u8 = 135;
pub(super) const NEIGHBOR_ADVERTISEMENT: u8 = 136;
/// Who sends it promises that no router stood in between (RFC 4861 §7.1).
const HOP_LIMIT: u8 = 255;
/// Options: the sender's and the target's hardware address (RFC 4861 §4.6.1), and a number by which one knows one's own
/// question again (RFC 3971 §5.3.2, RFC 7527).
const SOURCE_LINK_ADDRESS: u8 = 1;
const TARGET_LINK_ADDRESS: u8 = 2;
const NONCE: u8 = 14;
/// `R` in an advertisement: "I am a router" (RFC 4861 §4.4).
const ROUTER: u8 = 0x80;
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);

/// What the guest is called on its network.
#[derive(Debug)]
pub(super) struct Own {
    pub mac: Mac,
    pub ipv4: Vec<Ipv4Addr>,
    pub ipv6: Vec<Ipv6Addr>,
    /// What Linux makes of the hardware address (RFC 4291 appendix A); for Neighbor Discovery alone.
    link_local: Ipv6Addr,
}

impl Own {
    pub fn new(mac: Mac, ipv4: Vec<Ipv4Addr>, ipv6: Vec<Ipv6Addr>) -> Self {
        let [a, b, c, d, e, f] = mac;
        let host = [a ^ 2, b, c, 0xff, 0xfe, d, e, f];
        let link_local = (0xfe80_u128 << 112 | u128::from(u64::from_be_bytes(host))).into();
        Self { mac, ipv4, ipv6, link_local }
    }

    /// Whether a packet may come from there.
    pub fn has(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(v4) => self.ipv4.contains(&v4),
            IpAddr::V6(v6) => self.ipv6.contains(&v6),
        }
    }

    /// Whether a message of Neighbor Discovery may come from there, or be about it.
    fn has_on_link(&self, address: Ipv6Addr) -> bool {
        self.ipv6.contains(&address) || address == self.link_local
    }

    /// Whether a packet to this address stays on the link: a router would take any other further, and with it what a
    /// guest wrote into the address. Subnets have 64 bits (RFC 4291 §2.5.4).
    fn is_on_link(&self, address: Ipv6Addr) -> bool {
        let subnet = |address: Ipv6Addr| u128::from(address) >> 64;
        address.is_unicast_link_local()
            || self.ipv6.iter().any(|own| subnet(*own) == subnet(address))
    }

    /// Whether a frame is an ARP packet that the guest may send.
    pub fn may_send_arp(&self, frame: &Frame<'_>) -> bool {
        self.arp(frame.payload).unwrap_or(false)
    }

    fn arp(&self, payload: &[u8]) -> Option<bool> {
        let packet = without_padding(payload, ARP_PACKET)?;
        let ethernet = u16_at(packet, 0)? == ARP_ETHERNET && packet[4] == 6;
        let ipv4 = u16_at(packet, 2)? == ETHERTYPE_IPV4 && packet[5] == 4;
        let sender = ipv4_at(packet, 14)?;
        let target = ipv4_at(packet, 24)?;
        let ours = mac_at(packet, 8)? == self.mac;
        let allowed = match u16_at(packet, 6)? {
            // Before an address is used one asks without one (RFC 5227 §1.1).
            ARP_REQUEST if sender.is_unspecified() => self.ipv4.contains(&target),
            ARP_REQUEST | ARP_REPLY => self.ipv4.contains(&sender),
            _ => false,
        };
        Some(ethernet && ipv4 && ours && allowed)
    }

    /// Whether a packet is a message of Neighbor Discovery that the guest may send. `message` is its ICMPv6 message.
    pub fn may_send_neighbour(&self, packet: &Packet<'_>, message: &[u8]) -> bool {
        let (IpAddr::V6(source), IpAddr::V6(destination)) = (packet.source, packet.destination)
        else {
            return false;
        };
        let nameless = source.is_unspecified();
        if packet.hop_limit != HOP_LIMIT
            || message.get(1) != Some(&0)
            || !(nameless || self.has_on_link(source))
        {
            return false;
        }
        let target = ipv6_at(message, 8);
        let options =
            |start: usize, link: u8| self.options_are_ours(message, start, link, nameless);
        match (message[0], target) {
            (ROUTER_SOLICITATION, _) => {
                destination == ALL_ROUTERS && options(8, SOURCE_LINK_ADDRESS)
            }
            (NEIGHBOR_SOLICITATION, Some(target)) => {
                let everyone = destination == solicited_node(target);
                let asked = if nameless {
                    everyone && self.has_on_link(target)
                } else {
                    everyone || destination == target && self.is_on_link(target)
                };
                !target.is_multicast() && asked && options(24, SOURCE_LINK_ADDRESS)
            }
            (NEIGHBOR_ADVERTISEMENT, Some(target)) => {
                let claim = self.has_on_link(target) && message[4] & ROUTER == 0;
                let asked = destination == ALL_NODES || self.is_on_link(destination);
                claim && asked && !nameless && options(24, TARGET_LINK_ADDRESS)
            }
            _ => false,
        }
    }

    /// Whether the options from `start` on are at most one of each kind: a hardware address, which is ours, and a
    /// number. One without an address of its own tells no hardware address (RFC 4861 §4.1, §4.3).
    fn options_are_ours(&self, message: &[u8], start: usize, link: u8, nameless: bool) -> bool {
        let Some(options) = message.get(start..) else {
            return false;
        };
        let (options, rest) = options.as_chunks::<8>();
        let is_link = |option: &[u8; 8]| option[..2] == [link, 1] && option[2..] == self.mac;
        let is_nonce = |option: &[u8; 8]| option[..2] == [NONCE, 1];
        let ours = match options {
            [] => true,
            [one] => is_nonce(one) || (is_link(one) && !nameless),
            [one, other] => is_link(one) && is_nonce(other) && !nameless,
            _ => false,
        };
        ours && rest.is_empty()
    }
}

/// Where those listen who may have an address (RFC 4291 §2.7.1).
pub(super) fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    const PREFIX: u128 = 0xff02_0000_0000_0000_0000_0001_ff00_0000;
    (PREFIX | u128::from(address) & 0x00ff_ffff).into()
}
