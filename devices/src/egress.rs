//! The egress filter: what a guest may send, decided frame by frame between its network device and the back end.
//!
//! It is a function of a frame, its tables and the time; it has no socket, no thread and no clock, and is the same for
//! every back end. Where a VM has no egress rule there is no filter, and everything passes. Where there is one, nothing
//! passes but this:
//!
//! | what the guest sends | passes if |
//! |---|---|
//! | any frame | it comes from the guest's hardware address and, apart from the next two lines, from one of its IP addresses |
//! | ARP | it asks for anybody's address, or tells one of the guest's own |
//! | Neighbor Discovery | the same; also a router solicitation. Addressed to one host it stays on the link: to fe80::/10, or to the first 64 bits of an own address |
//! | TCP, UDP | a rule has the address and the port |
//! | ping; "destination unreachable" | a rule has the address, and no port and no protocol |
//! | TCP, UDP, echo replies | they answer somebody who came in: whoever is let in is the host's affair (`-p`), and has to be answered |
//! | TCP (apart from a first SYN), UDP | they go on with what began while a name had that address, as long as the peer answers |
//! | a question over UDP or TCP to port 53 of a configured resolver | `dns`, or a rule with that name |
//!
//! And this is dropped, whatever the rules say:
//!
//! | what | why |
//! |---|---|
//! | other ethertypes, VLAN tags, IPv4 options, IPv6 extension headers, other protocols than TCP, UDP and ICMP | they can hide where a packet goes, or carry one to somewhere else (source routes, tunnels). With them go multicast listener reports: bridges flood what nobody reported |
//! | fragments, all of them | only the first says which port it is for. As the others never pass, the first would be of no use |
//! | lengths that do not agree, bytes behind a packet | two readers could see two packets |
//! | an offload that does not fit the packet | the host's kernel puts a checksum wherever it is told, even into an address |
//! | link-local destinations ([`is_link_local`](egress_rules::is_link_local)) apart from a configured resolver's port 53 | clouds hand out credentials there. [`Policy::link_local`] lifts this, for rules with addresses only: a name never leads there |
//! | 0.0.0.0/8, 127.0.0.0/8, `::`, `::1` | nothing on a wire has them |
//! | port 53 of anybody else | a question is a message to whoever owns the name: exfiltration by lookup (microsandbox #675) |
//! | router advertisements, redirects, timestamps and the like | no guest has to send them |
//! | DHCP | a guest gets its address from its configuration, and without one it may not speak |
//!
//! # Names
//!
//! A rule with a name stands for *addresses that this name resolved to*, not for whoever is behind the name. The filter
//! reads the resolver's answers, follows aliases within one answer, and lets each address through for as long as the
//! answer says, but at least a minute and at most an hour. On an address of a content network every other customer of
//! it can be reached as well (microsandbox #633): there is no look at what TLS says, for that would postpone the
//! verdict to the payload, and then the first bytes pass to anywhere (microsandbox #1361). Who owns an allowed name
//! decides which addresses it has, private ones included, and what its lookups tell. The way to the resolver is
//! trusted: who can forge its answers on the network, and works together with the guest, opens addresses.
//!
//! A question over UDP for another name is answered with REFUSED; over TCP the connection is reset. Anything but one
//! plain question is dropped. Over TCP a question passes if one segment is the whole of it, and an answer counts if one
//! segment is. `ipv4hint`s of HTTPS records let nothing through: clients ask for the addresses as well.
//!
//! # What it costs
//!
//! For each frame a look at every rule at most and some lookups in tables whose sizes are in [`limits`](crate::limits);
//! the payload is not read, except to and from port 53 of a resolver. The tables are no part of a snapshot: a restored
//! guest is another one on the network, and asks again.

mod dns;
mod flows;
pub mod handshake;
mod judge;
mod neighbours;
mod packet;
mod reply;
mod report;
mod rules;
mod table;
#[cfg(test)]
pub(crate) mod tests;

use std::net::IpAddr;
use std::time::Duration;

use egress_rules::{DNS_PORT, Policy, PolicyError, Reason, Report};

use self::dns::Dns;
use self::flows::{Flow, Flows};
use self::judge::Decision;
use self::neighbours::Own;
use self::packet::{
    ETHERTYPE_IPV4, ETHERTYPE_IPV6, ICMP, ICMPV6, TCP, Tcp, Transport, UDP, flag, u16_at,
};
use self::report::Drops;
use self::rules::Rules;

/// Echo requests of IPv4 and IPv6 (RFC 792, RFC 4443 §4.1).
const ECHO_REQUEST: u8 = 8;
const ECHO_REQUEST_V6: u8 = 128;

/// The filter of one interface. See the module's documentation for what it does.
#[derive(Debug)]
pub struct Filter {
    own: Own,
    resolvers: Vec<IpAddr>,
    rules: Rules,
    dns: Dns,
    /// What came in first.
    incoming: Flows,
    /// What the guest began because of a name.
    outgoing: Flows,
    drops: Drops,
    /// The last answer.
    answer: Vec<u8>,
}

/// What is to be done with a frame of the guest's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict<'a> {
    /// It goes to the back end.
    Pass,
    /// It is forgotten. The filter has counted it.
    Drop(Reason),
    /// It is forgotten, and the guest gets this frame. The frame has its checksums and needs no offload.
    Answer(&'a [u8]),
}

/// What a guest leaves to the host of a frame: the part of `struct virtio_net_hdr` that changes what goes out (virtio
/// 1.2 §5.1.6). The default is nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offload {
    /// `csum_start` and `csum_offset`, if `VIRTIO_NET_HDR_F_NEEDS_CSUM` is set.
    pub checksum: Option<(u16, u16)>,
    /// `gso_type`, without `VIRTIO_NET_HDR_GSO_ECN`.
    pub segments: Segments,
}

/// How the host is to cut a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Segments {
    /// Not at all.
    #[default]
    None,
    /// Into segments of TCP over IPv4 (`VIRTIO_NET_HDR_GSO_TCPV4`).
    TcpV4,
    /// Into segments of TCP over IPv6 (`VIRTIO_NET_HDR_GSO_TCPV6`).
    TcpV6,
    /// Into datagrams or fragments (`VIRTIO_NET_HDR_GSO_UDP_L4`, `VIRTIO_NET_HDR_GSO_UDP`).
    Udp,
}

impl Filter {
    /// The filter of a policy.
    ///
    /// # Errors
    ///
    /// If the policy can't be enforced ([`Policy::check`]).
    pub fn new(policy: Policy) -> Result<Self, PolicyError> {
        policy.check()?;
        Ok(Self {
            rules: Rules::new(&policy),
            own: Own::new(policy.mac, policy.ipv4, policy.ipv6),
            resolvers: policy.resolvers,
            dns: Dns::new(),
            incoming: Flows::new(),
            outgoing: Flows::new(),
            drops: Drops::new(),
            answer: Vec::new(),
        })
    }

    /// What becomes of a frame of the guest's, from its first byte to the end of its packet: without `struct
    /// virtio_net_hdr`, and a copy that the guest can't change any more. `now` is the time since any moment, and never
    /// goes back (`CLOCK_BOOTTIME`: names move while a host sleeps).
    pub fn outgoing(&mut self, frame: &[u8], offload: Offload, now: Duration) -> Verdict<'_> {
        match self.judge(frame, offload, now) {
            Ok(Decision::Pass) => Verdict::Pass,
            Ok(Decision::Answer(answer)) => {
                self.answer = answer;
                Verdict::Answer(&self.answer)
            }
            Err(reason) => Verdict::Drop(reason),
        }
    }

    /// Takes notice of a frame that the guest is about to get. All of them pass: what may come in is for the back end
    /// and the host to say. But an answer of a resolver lets addresses through, and whoever comes in may be answered.
    pub fn incoming(&mut self, frame: &[u8], now: Duration) {
        let Some(frame) = packet::frame(frame) else {
            return;
        };
        if ![ETHERTYPE_IPV4, ETHERTYPE_IPV6].contains(&frame.ethertype) {
            return;
        }
        let Ok(packet) = packet::packet(&frame) else {
            return;
        };
        let (peer, own) = (packet.source, packet.destination);
        if !self.own.has(own) {
            return;
        }
        let flow =
            |protocol, peer_port, own_port| Flow { protocol, own, own_port, peer, peer_port };
        let resolver = |port| port == DNS_PORT && self.resolvers.contains(&peer);
        match packet.transport {
            Transport::Tcp(tcp) => {
                if resolver(tcp.source) {
                    let asker = (peer, own, tcp.destination);
                    let answers = self.dns.answered_by_stream(asker, &tcp, now);
                    self.admit(answers, now);
                }
                self.came_in(flow(TCP, tcp.source, tcp.destination), begins(&tcp), now);
            }
            Transport::Udp(udp) if resolver(udp.source) => {
                let answer = self.dns.answered((peer, own, udp.destination), udp.payload, now);
                self.admit(answer, now);
            }
            Transport::Udp(udp) => self.came_in(flow(UDP, udp.source, udp.destination), true, now),
            Transport::Icmp(message) => {
                let request = if own.is_ipv4() { ECHO_REQUEST } else { ECHO_REQUEST_V6 };
                if message[0] == request {
                    self.came_in(ping(own, peer, message), true, now);
                }
            }
        }
    }

    fn admit(
        &mut self,
        answers: impl IntoIterator<Item = (dns::Question, Vec<(IpAddr, u32)>)>,
        now: Duration,
    ) {
        for (question, addresses) in answers {
            self.rules.admit(&question.name, &addresses, now);
        }
    }

    fn came_in(&mut self, flow: Flow, begins: bool, now: Duration) {
        let known = self.outgoing.heard(flow, now) || self.incoming.heard(flow, now);
        if !known && begins {
            self.incoming.begin(flow, now);
        }
    }

    /// What was dropped so far, to where.
    pub fn report(&self) -> Report {
        self.drops.report()
    }
}

/// Whether a segment is the first of a connection.
fn begins(tcp: &Tcp<'_>) -> bool {
    tcp.flags & (flag::SYN | flag::ACK) == flag::SYN
}

/// A ping and its answer, told apart from others by the identifier in both (RFC 792, RFC 4443 §4.1).
fn ping(own: IpAddr, peer: IpAddr, message: &[u8]) -> Flow {
    let protocol = if own.is_ipv4() { ICMP } else { ICMPV6 };
    Flow { protocol, own, own_port: 0, peer, peer_port: u16_at(message, 4).unwrap_or(0) }
}
