//! Answers of a resolver.

use std::net::IpAddr;

use super::message::{HEADER, INTERNET, Name, Question, bits, name, question_at_start};
use crate::egress::packet::{ipv4_at, ipv6_at, u16_at, u32_at};
use crate::limits::{DNS_ALIASES, DNS_RECORDS};

/// Kinds of records (RFC 1035 §3.2.2, RFC 3596 §2.1).
const A: u16 = 1;
const CNAME: u16 = 5;
const AAAA: u16 = 28;

/// A record that says something about a name, and for how many seconds.
struct Record {
    owner: Name,
    seconds: u32,
    says: Says,
}

enum Says {
    Address(IpAddr),
    Alias(Name),
}

/// The addresses of the name that was asked for, or of the one for which that is an alias, and for how many seconds
/// each is good; `None` if the message is not the answer to that question. The alias of an alias is followed within
/// this message only.
pub(super) fn addresses(message: &[u8], asked: &Question) -> Option<Vec<(IpAddr, u32)>> {
    let flags = u16_at(message, 2)?;
    let expected = bits::RESPONSE | bits::OPCODE;
    if flags & expected != bits::RESPONSE || u16_at(message, 4)? != 1 {
        return None;
    }
    let (question, end) = question_at_start(message)?;
    let same = question.id == asked.id
        && question.name == asked.name
        && (question.kind, question.class) == (asked.kind, asked.class);
    if !same {
        return None;
    }
    if flags & bits::RCODE != 0 {
        return Some(Vec::new());
    }
    let count = usize::from(u16_at(message, 6)?).min(DNS_RECORDS);
    Some(follow(&records(message, end.max(HEADER), count), asked))
}

/// The first `count` records, as far as they can be read, and of a kind that matters.
fn records(message: &[u8], start: usize, count: usize) -> Vec<Record> {
    let mut at = start;
    let mut records = Vec::new();
    for _ in 0..count {
        let Some((record, end)) = record(message, at) else {
            break;
        };
        records.extend(record);
        at = end;
    }
    records
}

fn record(message: &[u8], start: usize) -> Option<(Option<Record>, usize)> {
    let (owner, at) = name(message, start, true)?;
    let (kind, class) = (u16_at(message, at)?, u16_at(message, at + 2)?);
    // One with its first bit set counts as 0 (RFC 2181 §8).
    let seconds = i32::try_from(u32_at(message, at + 4)?).unwrap_or(0).unsigned_abs();
    let data = at + 10;
    let length = usize::from(u16_at(message, at + 8)?);
    let end = data + length;
    message.get(data..end)?;
    let says = match (kind, length) {
        _ if class != INTERNET => None,
        (A, 4) => ipv4_at(message, data).map(|address| Says::Address(address.into())),
        (AAAA, 16) => ipv6_at(message, data).map(|address| Says::Address(address.into())),
        (CNAME, _) => name(message, data, true)
            .filter(|(_, last)| *last == end)
            .map(|(name, _)| Says::Alias(name)),
        _ => None,
    };
    Some((says.map(|says| Record { owner, seconds, says }), end))
}

fn follow(records: &[Record], asked: &Question) -> Vec<(IpAddr, u32)> {
    let mut name = &asked.name;
    // An address is good for no longer than the aliases that lead to it.
    let mut most = u32::MAX;
    for _ in 0..=DNS_ALIASES {
        let mut alias = None;
        let mut addresses = Vec::new();
        for record in records.iter().filter(|record| record.owner == *name) {
            match &record.says {
                Says::Address(address) => addresses.push((*address, record.seconds.min(most))),
                Says::Alias(target) => alias = alias.or(Some((target, record.seconds))),
            }
        }
        match alias {
            // What is an alias has no addresses of its own (RFC 1034 §3.6.2).
            Some((target, seconds)) => {
                name = target;
                most = most.min(seconds);
            }
            None => return addresses,
        }
    }
    Vec::new()
}
