//! What becomes of a frame of the guest's.

use std::net::IpAddr;
use std::time::Duration;

use egress_rules::{DNS_PORT, Protocol, Reason, is_unroutable};

use super::dns::{self, Asked};
use super::flows::Flow;
use super::neighbours::{NEIGHBOR_ADVERTISEMENT, NEIGHBOR_SOLICITATION, ROUTER_SOLICITATION};
use super::packet::{
    self, ETHERNET_HEADER, ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, Frame, ICMP, ICMPV6,
    IPV4_HEADER, IPV6_HEADER, Packet, TCP, Transport, UDP, ipv4_at,
};
use super::report::Aim;
use super::rules::{Permit, Purpose};
use super::{Filter, Offload, Segments, begins, ping, reply};

/// Where the checksum is in a header of TCP (RFC 9293 §3.1) and UDP (RFC 768).
const TCP_CHECKSUM: u16 = 16;
const UDP_CHECKSUM: u16 = 6;
/// Messages of ICMP (RFC 792) and ICMPv6 (RFC 4443 §3.1, §4.1, §4.2): besides pings, that something can't be reached.
/// Not how long a packet may be (RFC 1191 §4), for that changes routes of others.
const ECHO_REPLY: u8 = 0;
const UNREACHABLE: u8 = 3;
const FRAGMENTATION_NEEDED: u8 = 4;
const ECHO_REPLY_V6: u8 = 129;
const UNREACHABLE_V6: u8 = 1;

/// What is done for a frame that is not dropped.
pub(super) enum Decision {
    /// It goes on.
    Pass,
    /// The guest gets this frame.
    Answer(Vec<u8>),
}

/// What a message of ICMP is.
enum Message {
    Neighbour,
    Reply,
    ByRule,
    Other,
}

impl Filter {
    /// Judges a frame, and counts it if it does not go on.
    pub(super) fn judge(
        &mut self,
        bytes: &[u8],
        offload: Offload,
        now: Duration,
    ) -> Result<Decision, Reason> {
        let mut aim = Aim { ethertype: 0, protocol: None, address: None, port: None };
        let decision = self.judge_frame(bytes, offload, now, &mut aim);
        match &decision {
            Ok(Decision::Pass) => {}
            Ok(Decision::Answer(_)) => self.drops.count(aim, Reason::Name),
            Err(reason) => self.drops.count(aim, *reason),
        }
        decision
    }

    fn judge_frame(
        &mut self,
        bytes: &[u8],
        offload: Offload,
        now: Duration,
        aim: &mut Aim,
    ) -> Result<Decision, Reason> {
        let frame = packet::frame(bytes).ok_or(Reason::Malformed)?;
        aim.ethertype = frame.ethertype;
        match frame.ethertype {
            ETHERTYPE_ARP => {
                aim.address = ipv4_at(frame.payload, 24).map(IpAddr::V4);
                let ours = frame.source == self.own.mac && self.own.may_send_arp(&frame);
                return pass_if(ours && offload == Offload::default(), Reason::Neighbour);
            }
            ETHERTYPE_IPV4 | ETHERTYPE_IPV6 => {}
            _ => return Err(Reason::Ethertype),
        }
        let packet = packet::packet(&frame).map_err(|refused| {
            (aim.protocol, aim.address) = (refused.protocol, refused.destination);
            refused.reason
        })?;
        aim.address = Some(packet.destination);
        (aim.protocol, aim.port) = match &packet.transport {
            Transport::Tcp(tcp) => (Some(TCP), Some(tcp.destination)),
            Transport::Udp(udp) => (Some(UDP), Some(udp.destination)),
            Transport::Icmp(_) if packet.source.is_ipv4() => (Some(ICMP), None),
            Transport::Icmp(_) => (Some(ICMPV6), None),
        };
        if frame.source != self.own.mac {
            return Err(Reason::Source);
        }
        if !fits(offload, &packet) {
            return Err(Reason::Offload);
        }
        self.judge_packet(&frame, &packet, offload, now)
    }

    fn judge_packet(
        &mut self,
        frame: &Frame<'_>,
        packet: &Packet<'_>,
        offload: Offload,
        now: Duration,
    ) -> Result<Decision, Reason> {
        let message = match &packet.transport {
            Transport::Icmp(message) => Some((kind_of(packet, message), *message)),
            _ => None,
        };
        if let Some((Message::Neighbour, message)) = message {
            return pass_if(self.own.may_send_neighbour(packet, message), Reason::Neighbour);
        }
        if !self.own.has(packet.source) {
            return Err(Reason::Source);
        }
        if destination_port(packet) == Some(DNS_PORT) {
            return self.judge_question(frame, packet, offload, now);
        }
        if is_unroutable(packet.destination) {
            return Err(Reason::Unroutable);
        }
        if self.rules.is_below_floor(packet.destination) {
            return Err(Reason::LinkLocal);
        }
        match (&packet.transport, message) {
            (Transport::Tcp(tcp), _) => {
                let flow = flow(packet, TCP, tcp.source, tcp.destination);
                self.judge_flow(flow, Protocol::Tcp, begins(tcp), now)
            }
            (Transport::Udp(udp), _) => {
                let flow = flow(packet, UDP, udp.source, udp.destination);
                self.judge_flow(flow, Protocol::Udp, false, now)
            }
            (_, Some((Message::Reply, message))) => {
                let flow = ping(packet.source, packet.destination, message);
                pass_if(self.incoming.has(flow, now), Reason::Rule)
            }
            (_, Some((Message::ByRule, _))) => {
                let permit = self.rules.permit(packet.destination, Purpose::Message, now);
                pass_if(permit.is_some(), Reason::Rule)
            }
            _ => Err(Reason::Protocol),
        }
    }

    /// `begins`: it is no part of anything that was there before.
    fn judge_flow(
        &mut self,
        flow: Flow,
        protocol: Protocol,
        begins: bool,
        now: Duration,
    ) -> Result<Decision, Reason> {
        if !begins && (self.incoming.has(flow, now) || self.outgoing.has(flow, now)) {
            return Ok(Decision::Pass);
        }
        match self.rules.permit(flow.peer, Purpose::Port(protocol, flow.peer_port), now) {
            None => Err(Reason::Rule),
            Some(Permit::Network) => Ok(Decision::Pass),
            Some(Permit::Domain) => {
                self.outgoing.begin(flow, now);
                Ok(Decision::Pass)
            }
        }
    }

    /// What goes to port 53.
    fn judge_question(
        &mut self,
        frame: &Frame<'_>,
        packet: &Packet<'_>,
        offload: Offload,
        now: Duration,
    ) -> Result<Decision, Reason> {
        let resolver = packet.destination;
        if !self.resolvers.contains(&resolver) || !self.rules.have_names() {
            return Err(Reason::Resolver);
        }
        let rules = &self.rules;
        let allowed = |name: &dns::Name| rules.may_ask(name);
        let asked = match &packet.transport {
            // Cut into several, each would be a question of its own.
            Transport::Udp(_) if offload.segments != Segments::None => return Err(Reason::Offload),
            Transport::Udp(udp) => {
                self.dns.ask((resolver, packet.source, udp.source), udp.payload, allowed, now)
            }
            Transport::Tcp(tcp) => {
                let asker = (resolver, packet.source, tcp.source);
                self.dns.ask_by_stream(asker, tcp, allowed, now)
            }
            Transport::Icmp(_) => Asked::Malformed,
        };
        let question = match asked {
            Asked::Pass => return Ok(Decision::Pass),
            Asked::Malformed => return Err(Reason::Question),
            Asked::Refused(question) => question,
        };
        self.drops.count_name(&question.name);
        let answer = match &packet.transport {
            Transport::Udp(udp) => reply::datagram(frame, packet, udp, &dns::refusal(&question)),
            Transport::Tcp(tcp) => reply::reset(frame, packet, tcp),
            Transport::Icmp(_) => return Err(Reason::Name),
        };
        Ok(Decision::Answer(answer))
    }
}

fn pass_if(allowed: bool, reason: Reason) -> Result<Decision, Reason> {
    if allowed { Ok(Decision::Pass) } else { Err(reason) }
}

fn destination_port(packet: &Packet<'_>) -> Option<u16> {
    match packet.transport {
        Transport::Tcp(tcp) => Some(tcp.destination),
        Transport::Udp(udp) => Some(udp.destination),
        Transport::Icmp(_) => None,
    }
}

fn flow(packet: &Packet<'_>, protocol: u8, own_port: u16, peer_port: u16) -> Flow {
    Flow { protocol, own: packet.source, own_port, peer: packet.destination, peer_port }
}

fn kind_of(packet: &Packet<'_>, message: &[u8]) -> Message {
    match (packet.source.is_ipv4(), message[0], message[1]) {
        (true, super::ECHO_REQUEST, _) | (false, super::ECHO_REQUEST_V6, _) => Message::ByRule,
        (true, ECHO_REPLY, _) | (false, ECHO_REPLY_V6, _) => Message::Reply,
        (true, UNREACHABLE, FRAGMENTATION_NEEDED) => Message::Other,
        (true, UNREACHABLE, _) | (false, UNREACHABLE_V6, _) => Message::ByRule,
        (false, ROUTER_SOLICITATION | NEIGHBOR_SOLICITATION | NEIGHBOR_ADVERTISEMENT, _) => {
            Message::Neighbour
        }
        _ => Message::Other,
    }
}

/// Whether the host changes nothing of a packet but its own checksum, and cuts it as what it is.
fn fits(offload: Offload, packet: &Packet<'_>) -> bool {
    let header = if packet.source.is_ipv4() { IPV4_HEADER } else { IPV6_HEADER };
    let start = (ETHERNET_HEADER + header) as u16;
    let (offset, segments) = match (&packet.transport, packet.source.is_ipv4()) {
        (Transport::Tcp(_), true) => (TCP_CHECKSUM, Segments::TcpV4),
        (Transport::Tcp(_), false) => (TCP_CHECKSUM, Segments::TcpV6),
        (Transport::Udp(_), _) => (UDP_CHECKSUM, Segments::Udp),
        (Transport::Icmp(_), _) => return offload == Offload::default(),
    };
    offload.checksum.is_none_or(|place| place == (start, offset))
        && (offload.segments == Segments::None || offload.segments == segments)
}
