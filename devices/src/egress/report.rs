//! What was dropped, to where.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::dns::Name;
use super::packet::{ETHERTYPE_ARP, ICMP, ICMPV6, TCP, UDP};
use super::table::Table;
use crate::limits::REPORTED;

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

/// Where a frame was to go, as far as that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Aim {
    pub ethertype: u16,
    /// The number of the IP protocol.
    pub protocol: Option<u8>,
    pub address: Option<IpAddr>,
    pub port: Option<u16>,
}

impl Aim {
    fn protocol(&self) -> String {
        match self.protocol {
            Some(TCP) => "tcp".to_owned(),
            Some(UDP) => "udp".to_owned(),
            Some(ICMP) => "icmp".to_owned(),
            Some(ICMPV6) => "icmpv6".to_owned(),
            Some(number) => format!("ip {number}"),
            None if self.ethertype == ETHERTYPE_ARP => "arp".to_owned(),
            None => format!("ethertype {:#06x}", self.ethertype),
        }
    }
}

/// The tables behind a report.
#[derive(Debug)]
pub(super) struct Drops {
    dropped: u64,
    aims: Table<Aim, (u64, Reason)>,
    names: Table<Name, u64>,
}

impl Drops {
    pub fn new() -> Self {
        Self { dropped: 0, aims: Table::new(REPORTED), names: Table::new(REPORTED) }
    }

    pub fn count(&mut self, aim: Aim, reason: Reason) {
        self.dropped += 1;
        let before = self.aims.remove(&aim).map_or(0, |(count, _)| count);
        self.aims.insert(aim, (before + 1, reason), Duration::MAX);
    }

    pub fn count_name(&mut self, name: &Name) {
        let before = self.names.remove(name).unwrap_or(0);
        self.names.insert(name.clone(), before + 1, Duration::MAX);
    }

    pub fn report(&self) -> Report {
        let destination = |(aim, (count, reason)): (&Aim, &(u64, Reason))| Destination {
            protocol: aim.protocol(),
            address: aim.address,
            port: aim.port,
            count: *count,
            reason: *reason,
        };
        let name =
            |(name, count): (&Name, &u64)| RefusedName { name: name.to_string(), count: *count };
        Report {
            dropped: self.dropped,
            destinations: self.aims.youngest_first().map(destination).collect(),
            names: self.names.youngest_first().map(name).collect(),
        }
    }
}
