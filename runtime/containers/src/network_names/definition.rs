//! What a network is.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::name::check_name;
use super::subnet::Subnet;
use crate::container::Id;
use crate::network::Egress;

/// All that is decided when it is created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// Its identity.
    pub id: Id,
    /// Its name; no two networks have the same.
    pub name: String,
    /// When it was created, in nanoseconds since 1970.
    pub created: u64,
    /// Its bridge on the host.
    pub interface: String,
    /// Its addresses: one range of each family that it has, that of IPv4 first.
    pub ranges: Vec<Range>,
    /// Whether its containers reach nothing but each other.
    pub internal: bool,
    /// The longest packet, in bytes; netavark's own choice if there is none.
    pub mtu: Option<u32>,
    /// What its containers may reach through it, if that is not everything.
    #[serde(default)]
    pub egress: Option<Egress>,
    /// What people note about it.
    pub labels: BTreeMap<String, String>,
}

/// Addresses of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// Of these.
    pub subnet: Subnet,
    /// The host's own among them.
    pub gateway: IpAddr,
}

/// Bytes that a network interface's name has at most (Linux `include/uapi/linux/if.h`, IFNAMSIZ with the 0 at its end).
const INTERFACE: usize = 15;

/// The shortest MTU, in bytes: RFC 791, §3.2, for IPv4; RFC 8200, §5, for IPv6. And the longest that a VM's TAP can have: that
/// of a packet in its header less one of Ethernet (linux `drivers/net/tun.c`, MAX_MTU, `tun_net_initialize`).
const MIN_MTU: u32 = 68;
const MIN_MTU_IPV6: u32 = 1280;
const MAX_MTU: u32 = 65_535 - 14;

impl Network {
    /// Whether it has addresses of IPv6.
    pub fn has_ipv6(&self) -> bool {
        self.ranges.iter().any(|range| range.subnet.is_ipv6())
    }

    /// What netavark calls it. Its own name could be that of a network of podman's, or of another user's of this program,
    /// whose rules and answers have this name too.
    pub fn inner_name(&self) -> String {
        format!("bulkhead-{}", self.id.short())
    }

    /// Looks at the fields whose types allow too much; the field, and what is wrong with it.
    pub(super) fn check(&self) -> Result<(), String> {
        check_name(&self.name).map_err(|problem| format!("name: {problem}"))?;
        check_interface(&self.interface).map_err(|problem| format!("interface: {problem}"))?;
        let families: Vec<bool> = self.ranges.iter().map(|range| range.subnet.is_ipv6()).collect();
        if !matches!(families[..], [_] | [false, true]) {
            return Err(
                "ranges: there is one of IPv4, one of IPv6, or both in this order".to_owned()
            );
        }
        for Range { subnet, gateway } in &self.ranges {
            subnet.check().map_err(|problem| format!("ranges: {subnet} {problem}"))?;
            let is = |problem| format!("ranges: the gateway {gateway} of {subnet} {problem}");
            subnet.check_host(*gateway).map_err(is)?;
        }
        if let Some(egress) = &self.egress {
            egress.check().map_err(|problem| format!("egress: {problem}"))?;
        }
        match self.mtu.map(|mtu| check_mtu(mtu, self.has_ipv6())) {
            Some(Err(problem)) => Err(format!("mtu: {problem}")),
            _ => Ok(()),
        }
    }
}

/// Linux `net/core/dev.c`, `dev_valid_name`; and of printable ASCII, as it is a word in netavark's rules.
pub fn check_interface(name: &str) -> Result<(), String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    let first = name.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric);
    match first && name.len() <= INTERFACE && name.bytes().all(fits) {
        true => Ok(()),
        false => Err(format!(
            "'{}' is no name for an interface: give {INTERFACE} letters, digits, '_', '.' or '-' at most, a letter or digit first",
            name.escape_debug()
        )),
    }
}

/// Whether a network can have packets of this length.
pub fn check_mtu(mtu: u32, ipv6: bool) -> Result<(), String> {
    let (least, family) = if ipv6 { (MIN_MTU_IPV6, " with IPv6") } else { (MIN_MTU, "") };
    match (least..=MAX_MTU).contains(&mtu) {
        true => Ok(()),
        false => Err(format!("{mtu}: a network{family} has {least} to {MAX_MTU} bytes")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_and_lengths_have_bounds() {
        for right in ["bh-0123456789ab", "a", "br0.1"] {
            check_interface(right).unwrap();
        }
        for wrong in ["", "bh-0123456789abc", "..", ".", "a/b", "a b", "a:b", "-j", "a\n"] {
            assert!(check_interface(wrong).unwrap_err().contains("is no name"), "{wrong}");
        }
        assert!(check_mtu(68, false).is_ok() && check_mtu(65_521, true).is_ok());
        for (mtu, ipv6) in [(67, false), (1279, true), (65_522, false), (0, true)] {
            let error = check_mtu(mtu, ipv6).unwrap_err();
            assert!(error.starts_with(&format!("{mtu}: ")) && error.contains("65521"), "{error}");
        }
    }
}
