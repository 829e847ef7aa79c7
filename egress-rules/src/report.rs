//! What a VM tells of its interface while it runs, as its supervisor reads it: by nothing but a piece of memory that both
//! have, so that neither ever waits for the other.
//!
//! | bytes | |
//! |---|---|
//! | 0 to 8 | a number, little-endian as the next one, that grows: odd while the rest is being written |
//! | 8 to 16 | the length of the text |
//! | 16 on | an [`InterfaceReport`] as JSON |

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// How many different destinations, and how many refused names, a report has: those of the last frames that were
/// dropped.
pub const REPORTED: usize = 256;

/// Where the text begins.
pub const PAGE_HEADER: usize = 16;

/// The length of the memory, in bytes: more than the longest report has. A name of 255 bytes (RFC 1035 §3.1) has up to
/// 1,012 characters.
pub const PAGE_SIZE: usize = 512 << 10;

/// What an interface did since its VM began.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct InterfaceReport {
    /// How much went through it.
    pub counters: Counters,
    /// What its filter dropped, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub egress: Option<Report>,
}

/// How much went over a link, as its guest counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Counters {
    /// To the guest.
    pub rx: Traffic,
    /// From the guest.
    pub tx: Traffic,
}

/// How much went one way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Traffic {
    /// Bytes of frames, from the first of the Ethernet header on, as Linux counts them.
    pub bytes: u64,
    /// Frames. One that is to be cut into several is one.
    pub packets: u64,
    /// Frames that went no further: what was none, what nobody took, what a filter held up.
    pub dropped: u64,
}

impl Traffic {
    /// One more frame of so many bytes.
    pub fn count(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        self.packets += 1;
    }
}

/// Why a frame of the guest's was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// It is cut short, or its lengths do not agree.
    Malformed,
    /// It carries neither ARP nor IP: another type, or a VLAN's tag.
    Ethertype,
    /// Its source is not the guest's hardware or IP address.
    Source,
    /// It has IPv4 options.
    Options,
    /// It is part of a packet.
    Fragment,
    /// It has an IPv6 extension header.
    ExtensionHeader,
    /// It is neither TCP, UDP nor ICMP, or a message of ICMP that is not a guest's to send.
    Protocol,
    /// It claims somebody else's address on the link, or asks in another way than hosts do.
    Neighbour,
    /// The host is to finish it in a way that could change where it goes.
    Offload,
    /// It goes to an address that nothing on a wire has.
    Unroutable,
    /// It goes to a link-local address, at which clouds hand out credentials.
    LinkLocal,
    /// It goes to port 53 of somebody who is not a configured resolver, or there is no rule with a name.
    Resolver,
    /// It goes to a resolver, and is no question that the filter can read.
    Question,
    /// It asks a resolver for a name that no rule has. A question over UDP is answered in the resolver's stead.
    Name,
    /// No rule lets it through.
    Rule,
}

/// What an egress filter did since it began. Only the last few hundred destinations and names are told one by one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// How many frames were dropped, refused questions among them.
    pub dropped: u64,
    /// To where, the last one first.
    pub destinations: Vec<Destination>,
    /// The names that were asked for in vain, the last one first.
    pub names: Vec<RefusedName>,
}

/// Where frames that were dropped were to go.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Destination {
    /// `tcp`, `udp`, `icmp`, `icmpv6`, `arp`, `ip 47` or `ethertype 0x88cc`.
    pub protocol: String,
    /// The address, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// The port, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// How many frames.
    pub count: u64,
    /// Why the last of them was dropped.
    pub reason: Reason,
}

/// A name that no rule has.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RefusedName {
    /// The name: letters, digits, `-`, `_`, and other bytes as `\DDD`.
    pub name: String,
    /// How often it was asked for.
    pub count: u64,
}

impl Reason {
    /// The word for it in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Ethertype => "ethertype",
            Self::Source => "source",
            Self::Options => "options",
            Self::Fragment => "fragment",
            Self::ExtensionHeader => "extension-header",
            Self::Protocol => "protocol",
            Self::Neighbour => "neighbour",
            Self::Offload => "offload",
            Self::Unroutable => "unroutable",
            Self::LinkLocal => "link-local",
            Self::Resolver => "resolver",
            Self::Question => "question",
            Self::Name => "name",
            Self::Rule => "rule",
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.protocol)?;
        match (self.address, self.port) {
            (Some(IpAddr::V6(address)), Some(port)) => write!(f, " [{address}]:{port}"),
            (Some(address), Some(port)) => write!(f, " {address}:{port}"),
            (Some(address), None) => write!(f, " {address}"),
            (None, _) => Ok(()),
        }
    }
}
