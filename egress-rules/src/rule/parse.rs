//! Reads a rule as a person writes it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::{DNS_PORT, Network, Protocol, Rule, Service, bits, first};
use crate::Domain;

/// Why a text is no rule. In one line, and it says what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// Neither an address nor a name stands before the port.
    #[error(
        "an egress rule is an address, a network, a name, *.name or dns, as in 10.0.0.0/8:443 or example.org"
    )]
    Empty,
    /// It looks like an IPv4 address, and is none.
    #[error("\"{}\" is no IPv4 address: give four numbers from 0 to 255", .0.escape_debug())]
    Ipv4(String),
    /// It looks like an IPv6 address, and is none.
    #[error("\"{}\" is no IPv6 address; with a port write [fd00::1]:443", .0.escape_debug())]
    Ipv6(String),
    /// What follows an IPv6 address in brackets.
    #[error("\"{}\" after ]: give /BITS, :PORT, or both, as in [fd00::]/8:443", .0.escape_debug())]
    AfterBracket(String),
    /// The number of bits of a network.
    #[error("\"/{}\" is no length of a network: give 0 to {most}", given.escape_debug())]
    Prefix {
        /// What was given.
        given: String,
        /// The most that is possible.
        most: u8,
    },
    /// An address with more bits than its network.
    #[error("{address}/{prefix} has bits beyond the first {prefix}: {network} is the network")]
    HostBits {
        /// The address.
        address: IpAddr,
        /// How many bits count.
        prefix: u8,
        /// What was meant, or the address alone.
        network: Network,
    },
    /// A port, or a first and a last one.
    #[error("\"{}\" is no port: give 1 to 65535, or a first and a last one, as in 8000-8099", .0.escape_debug())]
    Port(String),
    /// The port of resolvers.
    #[error("no rule opens port 53: give dns, or names, to ask the network's resolvers")]
    DnsPort,
    /// `dns` with a port or a protocol.
    #[error("\"{}\": dns stands alone", .0.escape_debug())]
    DnsAlone(String),
    /// A name that can be none.
    #[error("\"{}\" is no name: give labels of up to 63 letters, digits, - and _, 253 in all, or *. and such a name", .0.escape_debug())]
    Domain(String),
}

impl FromStr for Rule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        if text.eq_ignore_ascii_case("dns") {
            return Ok(Self::Dns);
        }
        let (rest, protocol) = match text.rsplit_once('/') {
            Some((rest, "tcp")) => (rest, Some(Protocol::Tcp)),
            Some((rest, "udp")) => (rest, Some(Protocol::Udp)),
            _ => (text, None),
        };
        let service = |ports: Option<&str>| match ports {
            None => Ok(Service { protocol, ports: None }),
            Some(ports) => Ok(Service { protocol, ports: Some(parse_ports(ports)?) }),
        };
        if let Some(bracket) = rest.strip_prefix('[') {
            let (address, after) =
                bracket.split_once(']').ok_or_else(|| RuleError::Ipv6(rest.to_owned()))?;
            let (prefix, ports) = split_ports(after);
            let prefix = match prefix.strip_prefix('/') {
                None if prefix.is_empty() => None,
                None => return Err(RuleError::AfterBracket(after.to_owned())),
                prefix => prefix,
            };
            let address = parse_ipv6(address)?;
            return Ok(Self::Network(network(address, prefix)?, service(ports)?));
        }
        if rest.bytes().filter(|&byte| byte == b':').count() > 1 {
            let (address, prefix) = split_prefix(rest);
            return Ok(Self::Network(network(parse_ipv6(address)?, prefix)?, service(None)?));
        }
        let (target, ports) = split_ports(rest);
        if target.is_empty() {
            return Err(RuleError::Empty);
        }
        // Not as a name either: it would be printed without the dot, and so be read as something else.
        if target.strip_suffix('.').unwrap_or(target).eq_ignore_ascii_case("dns") {
            return Err(RuleError::DnsAlone(text.to_owned()));
        }
        let (address, prefix) = split_prefix(target);
        // No name's last label is a number (RFC 3696 §2), so that no misspelt address becomes a name.
        let last = address.rsplit('.').next().unwrap_or_default();
        let number = !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit());
        if prefix.is_some() || number {
            let address =
                address.parse::<Ipv4Addr>().map_err(|_not| RuleError::Ipv4(address.to_owned()))?;
            return Ok(Self::Network(network(address.into(), prefix)?, service(ports)?));
        }
        let domain = Domain::parse(target).ok_or_else(|| RuleError::Domain(target.to_owned()))?;
        Ok(Self::Domain(domain, service(ports)?))
    }
}

impl TryFrom<String> for Rule {
    type Error = RuleError;

    fn try_from(text: String) -> Result<Self, RuleError> {
        text.parse()
    }
}

/// What stands before the colon, and after it.
fn split_ports(text: &str) -> (&str, Option<&str>) {
    text.split_once(':').map_or((text, None), |(target, ports)| (target, Some(ports)))
}

/// What stands before the slash, and after it.
fn split_prefix(text: &str) -> (&str, Option<&str>) {
    text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)))
}

fn parse_ipv6(text: &str) -> Result<IpAddr, RuleError> {
    text.parse::<Ipv6Addr>().map(IpAddr::V6).map_err(|_not| RuleError::Ipv6(text.to_owned()))
}

fn network(address: IpAddr, prefix: Option<&str>) -> Result<Network, RuleError> {
    let most = bits(address);
    let prefix = match prefix {
        None => most,
        Some(given) => number(given)
            .and_then(|prefix| u8::try_from(prefix).ok())
            .filter(|prefix| *prefix <= most)
            .ok_or_else(|| RuleError::Prefix { given: given.to_owned(), most })?,
    };
    Network::new(address, prefix).ok_or_else(|| {
        let network = Network { address: first(address, prefix), prefix };
        RuleError::HostBits { address, prefix, network }
    })
}

fn parse_ports(text: &str) -> Result<(u16, u16), RuleError> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let ports = number(first).zip(number(last));
    match ports.filter(|(first, last)| *first > 0 && first <= last) {
        None => Err(RuleError::Port(text.to_owned())),
        Some((DNS_PORT, DNS_PORT)) => Err(RuleError::DnsPort),
        Some(ports) => Ok(ports),
    }
}

/// Digits alone: `parse` takes a plus sign as well.
fn number(text: &str) -> Option<u16> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}
