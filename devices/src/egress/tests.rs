//! The filter, seen from both its sides.

mod answers;
mod exhaustive;
mod faults;
mod flows;
pub(crate) mod frames;
mod link;
mod model;
mod properties;
mod questions;
mod report;
mod streams;
mod tables;

use std::net::IpAddr;
use std::time::Duration;

use egress_rules::{Policy, Reason};

use self::frames::{Datagram, MAC, OWN4, OWN6, RESOLVER};
use super::{Filter, Offload, Segments, Verdict};

fn address(text: &str) -> IpAddr {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn policy(rules: &[&str]) -> Policy {
    let (IpAddr::V4(own4), IpAddr::V6(own6)) = (address(OWN4), address(OWN6)) else {
        unreachable!("one of each family");
    };
    Policy {
        mac: MAC,
        ipv4: vec![own4],
        ipv6: vec![own6],
        resolvers: vec![address(RESOLVER), address("fd00::3")],
        rules: rules.iter().map(|rule| rule.parse().unwrap()).collect(),
        link_local: false,
    }
}

fn filter(rules: &[&str]) -> Filter {
    Filter::new(policy(rules)).unwrap()
}

/// What becomes of a frame for which the host has nothing to do.
fn sent(filter: &mut Filter, frame: &[u8], now: u64) -> Result<(), Reason> {
    match filter.outgoing(frame, Offload::default(), seconds(now)) {
        Verdict::Pass => Ok(()),
        Verdict::Drop(reason) => Err(reason),
        Verdict::Answer(_) => Err(Reason::Name),
    }
}

/// A first SYN to a port.
fn connects(filter: &mut Filter, to: &str, port: u16, now: u64) -> Result<(), Reason> {
    sent(filter, &frames::syn(to, port), now)
}

/// Lets the guest ask for a name, and the resolver answer with these records.
fn resolve(filter: &mut Filter, name: &str, records: &[frames::Record], now: u64) {
    let question = frames::question(7, name, frames::A);
    let asked = Datagram::to_resolver(&question);
    assert_eq!(sent(filter, &asked.frame(), now), Ok(()), "{name}");
    let answer = frames::answer(&question, records);
    filter.incoming(&asked.back(&answer).frame(), seconds(now));
}
