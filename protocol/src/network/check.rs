//! Whether a network makes sense. The host checks what it sends; the guest checks what it got.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use super::{Cidr, Interface, MacAddress, Neighbour, Network, Route, Sysctl};
use crate::frame::{MAX_FRAME, length};
use crate::{ByteString, setup};

/// How many there may be: more than anybody has. As many as this of each kind, with the longest names and in JSON, are more than
/// a frame takes: see [`MAX_LENGTH`].
const MAX_INTERFACES: usize = 16;
const MAX_ADDRESSES: usize = 16;
const MAX_ROUTES: usize = 128;
const MAX_NEIGHBOURS: usize = 128;
const MAX_NAMESERVERS: usize = 16;
const MAX_WORDS: usize = 32;
const MAX_HOSTS: usize = 1024;
const MAX_OWN_ADDRESSES: usize = MAX_INTERFACES * MAX_ADDRESSES;
const MAX_SYSCTLS: usize = 128;

/// The most bytes of a frame that a network takes: all but what the container's [`crate::Setting`] may take, and
/// what stands in each Setup.
pub(crate) const MAX_LENGTH: usize = MAX_FRAME - setup::MAX_LENGTH - setup::REST;

/// IFNAMSIZ, linux/if.h, without its NUL.
const MAX_NAME: usize = 15;

/// RFC 1035, §2.3.4: the longest domain name, in bytes.
const MAX_WORD: usize = 255;

/// The longest name and value of a setting, in bytes: ours. The kernel takes a page.
const MAX_KEY: usize = 255;
const MAX_VALUE: usize = 1024;

/// RFC 791, §3.1, and what virtio's field holds (virtio 1.2 §5.1.4).
const MTU: std::ops::RangeInclusive<u32> = 68..=65535;

/// RFC 8200, §5: a link with IPv6 takes packets of this many bytes.
const MTU_OF_IPV6: u32 = 1280;

/// The longest value that an error quotes, in characters.
const MAX_QUOTE: usize = 80;

/// What is wrong with a [`Network`], in one line.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("network: {field}: {value} is not right; expected {expected}")]
pub struct NetworkError {
    field: String,
    value: String,
    expected: Cow<'static, str>,
}

fn error(
    field: impl Into<String>,
    value: impl fmt::Display,
    expected: impl Into<Cow<'static, str>>,
) -> NetworkError {
    NetworkError { field: field.into(), value: value.to_string(), expected: expected.into() }
}

/// Bytes in quotation marks, as many as fit on a line.
fn quoted(bytes: &[u8]) -> String {
    let text = ByteString::from(bytes).to_string();
    match text.char_indices().nth(MAX_QUOTE) {
        Some((end, _)) => format!("\"{}…\"", &text[..end]),
        None => format!("\"{text}\""),
    }
}

fn at_most(most: usize, field: &str, count: usize) -> Result<(), NetworkError> {
    if count <= most { Ok(()) } else { Err(error(field, count, format!("at most {most}"))) }
}

impl Network {
    /// Looks at every field.
    pub fn check(&self) -> Result<(), NetworkError> {
        at_most(MAX_INTERFACES, "number of interfaces", self.interfaces.len())?;
        for (number, interface) in self.interfaces.iter().enumerate() {
            interface.check()?;
            let others = &self.interfaces[..number];
            if others.iter().any(|other| other.name == interface.name) {
                let expected = "a name that no other interface has";
                return Err(error("interface", quoted(interface.name.as_bytes()), expected));
            }
            if others.iter().any(|other| other.mac == interface.mac) {
                let expected = "an address that no other interface has";
                return Err(error(interface.field("mac"), interface.mac, expected));
            }
        }
        let resolver = &self.resolver;
        at_most(MAX_NAMESERVERS, "number of nameservers", resolver.nameservers.len())?;
        for nameserver in &resolver.nameservers {
            check_host("nameserver", *nameserver)?;
        }
        for (field, words) in [("search", &resolver.search), ("options", &resolver.options)] {
            at_most(MAX_WORDS, &format!("number of words of {field}"), words.len())?;
            words.iter().try_for_each(|word| check_word(field, word))?;
        }
        at_most(MAX_HOSTS, "number of hosts", self.hosts.len())?;
        self.hosts.iter().try_for_each(|host| check_word("hosts", &host.name))?;
        at_most(MAX_OWN_ADDRESSES, "number of own addresses", self.own_addresses.len())?;
        for address in &self.own_addresses {
            check_host("own address", *address)?;
        }
        at_most(MAX_SYSCTLS, "number of sysctls", self.sysctls.len())?;
        self.sysctls.iter().try_for_each(Sysctl::check)?;
        at_most(MAX_LENGTH, "bytes of all lists together", length(self))
    }
}

impl Interface {
    fn field(&self, name: &str) -> String {
        format!("interface {}: {name}", self.name)
    }

    fn check(&self) -> Result<(), NetworkError> {
        check_name(&self.name)?;
        check_card(self.field("mac"), self.mac)?;
        if !MTU.contains(&self.mtu) {
            return Err(error(self.field("mtu"), self.mtu, "68 to 65535"));
        }
        if self.mtu < MTU_OF_IPV6 && self.addresses.iter().any(|address| address.ip.is_ipv6()) {
            return Err(error(self.field("mtu"), self.mtu, "1280 or more with IPv6 addresses"));
        }
        at_most(MAX_ADDRESSES, &self.field("number of addresses"), self.addresses.len())?;
        for (number, address) in self.addresses.iter().enumerate() {
            let field = || self.field("address");
            if address.prefix > bits(address.ip) {
                return Err(error(field(), address, "a prefix of at most 32 bits, or 128 (IPv6)"));
            }
            check_host(field(), address.ip)?;
            if self.addresses[..number].iter().any(|other| other.ip == address.ip) {
                return Err(error(field(), address, "each address once"));
            }
        }
        at_most(MAX_ROUTES, &self.field("number of routes"), self.routes.len())?;
        self.routes.iter().try_for_each(|route| self.check_route(route))?;
        at_most(MAX_NEIGHBOURS, &self.field("number of neighbours"), self.neighbours.len())?;
        for (number, Neighbour { ip, mac }) in self.neighbours.iter().enumerate() {
            check_host(self.field("neighbour"), *ip)?;
            check_card(self.field(&format!("neighbour {ip}")), *mac)?;
            if self.neighbours[..number].iter().any(|other| other.ip == *ip) {
                return Err(error(self.field("neighbour"), ip, "each neighbour once"));
            }
        }
        Ok(())
    }

    fn check_route(&self, route: &Route) -> Result<(), NetworkError> {
        let field = || self.field("route");
        if !route.destination.is_network() {
            return Err(error(field(), route, "a network, with zeros behind its prefix"));
        }
        if let Some(gateway) = route.gateway {
            if gateway.is_ipv4() != route.destination.ip.is_ipv4() {
                return Err(error(field(), route, "a gateway of the network's family"));
            }
            check_host(field(), gateway)?;
        } else if route.onlink {
            return Err(error(field(), route, "a gateway where there is \"onlink\""));
        }
        Ok(())
    }
}

/// The kernel's rule (linux/net/core/dev.c, `dev_valid_name`), narrowed to what needs no quoting, without the names
/// that mean something else in `/proc/sys/net` and the loopback interface's.
fn check_name(name: &str) -> Result<(), NetworkError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let taken = [".", "..", "all", "default", "lo"].contains(&name);
    if (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(plain) && !taken {
        return Ok(());
    }
    let expected = "1 to 15 letters, digits, `.`, `_` and `-`, and not all, default or lo";
    Err(error("interface", quoted(name.as_bytes()), expected))
}

/// IEEE 802.3, §3.2.3: the lowest bit of the first byte stands for a group.
fn check_card(field: String, mac: MacAddress) -> Result<(), NetworkError> {
    if mac.0[0] & 1 != 0 || mac.0 == [0; 6] {
        return Err(error(field, mac, "the address of one card"));
    }
    Ok(())
}

/// An address that a machine can have.
fn check_host(field: impl Into<String>, ip: IpAddr) -> Result<(), NetworkError> {
    let strange = match ip {
        IpAddr::V4(ip) => ip.is_broadcast(),
        // RFC 4291, §2.5.5.2: that is IPv4, and to be said so.
        IpAddr::V6(ip) => ip.to_ipv4_mapped().is_some(),
    };
    if strange || ip.is_unspecified() || ip.is_multicast() {
        return Err(error(field, ip, "the address of one machine"));
    }
    Ok(())
}

/// One word of a line of resolv.conf(5) or hosts(5).
fn check_word(field: &str, word: &ByteString) -> Result<(), NetworkError> {
    let bytes = word.as_bytes();
    let splits = |byte: u8| byte <= b' ' || byte == 0x7f || byte == b'#';
    if (1..=MAX_WORD).contains(&bytes.len()) && !bytes.iter().copied().any(splits) {
        return Ok(());
    }
    Err(error(field, quoted(bytes), "one word of 1 to 255 bytes, without blanks and `#`"))
}

impl Sysctl {
    fn check(&self) -> Result<(), NetworkError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let named = |part: &[u8]| {
            !part.is_empty() && part != b"." && part != b".." && part.iter().copied().all(plain)
        };
        let below = self.parts().next() == Some(b"net") && self.parts().count() > 1;
        if !below || self.key.as_bytes().len() > MAX_KEY || !self.parts().all(named) {
            let expected = "the name of a setting below net, like net.ipv4.ip_forward";
            return Err(error("sysctl", quoted(self.key.as_bytes()), expected));
        }
        let value = self.value.as_bytes();
        let unwritable = |byte: u8| byte.is_ascii_control() && byte != b'\t';
        if value.is_empty() || value.len() > MAX_VALUE || value.iter().copied().any(unwritable) {
            let field = format!("sysctl {}", self.key);
            return Err(error(field, quoted(value), "1 to 1024 bytes on one line"));
        }
        Ok(())
    }
}

/// The bits of an address of this family.
fn bits(ip: IpAddr) -> u8 {
    if ip.is_ipv4() { 32 } else { 128 }
}

impl Cidr {
    /// Whether it is a network: a prefix that fits, and zeros behind it.
    fn is_network(self) -> bool {
        let (number, spare) = match self.ip {
            IpAddr::V4(ip) => (u128::from(ip.to_bits()) << 96, self.prefix > 32),
            IpAddr::V6(ip) => (ip.to_bits(), self.prefix > 128),
        };
        !spare && number.checked_shl(self.prefix.into()).unwrap_or(0) == 0
    }
}
