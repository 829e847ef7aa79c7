//! What was dropped, to where.

use std::net::IpAddr;
use std::time::Duration;

use egress_rules::{Destination, REPORTED, Reason, RefusedName, Report};

use super::dns::Name;
use super::packet::{ETHERTYPE_ARP, ICMP, ICMPV6, TCP, UDP};
use super::table::Table;

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
