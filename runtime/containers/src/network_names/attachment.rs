//! A container's place on a network, as it is written in the container.

use std::collections::BTreeSet;
use std::net::IpAddr;

use protocol::MacAddress;
use serde::{Deserialize, Serialize};

use super::definition::Network;
use crate::container::Id;

/// That it is on a network, and as what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attachment {
    /// The network's identity.
    pub network: Id,
    /// Its name.
    pub name: String,
    /// How the container is called on it.
    pub identity: Identity,
}

/// What a container is called on a network, as far as the person has a wish.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// More names that others find it by.
    pub aliases: BTreeSet<String>,
    /// Its addresses: one of each family at most.
    pub addresses: Vec<IpAddr>,
    /// That of its network card.
    pub mac: Option<MacAddress>,
}

/// A container's wish to be on a network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// The network's name, its ID, or an ID's start.
    pub network: String,
    /// How the container is called on it.
    pub identity: Identity,
}

/// Names that one container has on one network: they are one line of aardvark-dns's file, and in each answer.
const MAX_ALIASES: usize = 64;

/// A host name's length (RFC 1035, §2.3.4).
const MAX_ALIAS: usize = 253;

/// Networks of one container: each is a device of its VM.
pub const MAX_NETWORKS: usize = 16;

impl Identity {
    /// Looks at what the types allow too much of; what is wrong, and what would be right.
    pub fn check(&self) -> Result<(), String> {
        if self.aliases.len() > MAX_ALIASES {
            return Err(format!("{} aliases: give {MAX_ALIASES} at most", self.aliases.len()));
        }
        self.aliases.iter().try_for_each(|alias| check_alias(alias))?;
        for ipv6 in [false, true] {
            let mut family = self.addresses.iter().filter(|address| address.is_ipv6() == ipv6);
            if let (Some(first), Some(second)) = (family.next(), family.next()) {
                return Err(format!(
                    "ip={second}: it has {first} already: give one of each family"
                ));
            }
        }
        self.mac.map_or(Ok(()), check_mac)
    }
}

/// Whether others can find a container by this name.
pub fn check_alias(alias: &str) -> Result<(), String> {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    let first = alias.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric);
    match first && alias.len() <= MAX_ALIAS && alias.bytes().all(inner) {
        true => Ok(()),
        false => Err(format!(
            "alias={}: give a letter or digit, then letters, digits, '_', '.' or '-', {MAX_ALIAS} at most",
            alias.chars().take(MAX_ALIAS).collect::<String>().escape_debug()
        )),
    }
}

/// Whether a network card can have this address: IEEE 802, the lowest bit of the first byte is that of groups.
pub fn check_mac(mac: MacAddress) -> Result<(), String> {
    let MacAddress(bytes) = mac;
    match bytes[0] & 1 == 0 && bytes != [0; 6] {
        true => Ok(()),
        false => Err(format!("mac={mac}: it is no single card's: give one like 02:42:0a:59:00:02")),
    }
}

/// Reads six pairs of hexadecimal digits.
pub fn parse_mac(text: &str) -> Result<MacAddress, String> {
    let wrong =
        || format!("mac={}: give six pairs of digits, like 02:42:0a:59:00:02", text.escape_debug());
    let mut bytes = [0; 6];
    let mut parts = text.split([':', '-']);
    for byte in &mut bytes {
        let is_pair =
            |part: &&str| part.len() == 2 && part.bytes().all(|digit| digit.is_ascii_hexdigit());
        let part = parts.next().filter(is_pair).ok_or_else(wrong)?;
        *byte = u8::from_str_radix(part, 16).map_err(|_| wrong())?;
    }
    match parts.next() {
        None => check_mac(MacAddress(bytes)).map(|()| MacAddress(bytes)),
        Some(_) => Err(wrong()),
    }
}

impl Attachment {
    /// Of this network.
    pub fn new(network: &Network, identity: Identity) -> Self {
        Self { network: network.id.clone(), name: network.name.clone(), identity }
    }
}

/// Looks at all of a container's; what is wrong.
pub fn check_all(attachments: &[Attachment]) -> Result<(), String> {
    if attachments.len() > MAX_NETWORKS {
        return Err(format!(
            "{} networks: a container has {MAX_NETWORKS} at most",
            attachments.len()
        ));
    }
    for (at, one) in attachments.iter().enumerate() {
        one.identity
            .check()
            .map_err(|problem| format!("network {}: {problem}", one.name.escape_debug()))?;
        if attachments[..at].iter().any(|other| other.network == one.network) {
            return Err(format!(
                "network {} is named twice: name it once",
                one.name.escape_debug()
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_have_addresses_of_their_own() {
        let mac = MacAddress([2, 0x42, 0x0a, 0x59, 0, 0xff]);
        for right in ["02:42:0a:59:00:ff", "02-42-0A-59-00-FF"] {
            assert_eq!(parse_mac(right), Ok(mac));
        }
        for wrong in [
            "",
            "02:42:0a:59:00",
            "02:42:0a:59:00:ff:00",
            "2:42:0a:59:00:ff",
            "+2:42:0a:59:00:ff",
            "02:42:0a:59:00:gg",
            "01:00:5e:00:00:01",
            "ff:ff:ff:ff:ff:ff",
            "00:00:00:00:00:00",
            "é:42:0a:59:00:ff",
        ] {
            let error = parse_mac(wrong).unwrap_err();
            assert!(error.starts_with("mac=") && error.contains("02:42:0a:59:00:02"), "{error}");
        }
    }

    #[test]
    fn identities_are_bounded() {
        let of =
            |alias: &str| Identity { aliases: [alias.to_owned()].into(), ..Identity::default() };
        for right in ["db", "Db_1.example", "0"] {
            of(right).check().unwrap();
        }
        for wrong in ["", "-x", "a,b", "a b", "é", "a\n", &"x".repeat(254)] {
            let error = of(wrong).check().unwrap_err();
            assert!(error.starts_with("alias=") && !error.contains('\n'), "{error}");
        }
        let many = (0..65).map(|number| format!("a{number}")).collect();
        let many = Identity { aliases: many, ..Identity::default() };
        assert!(many.check().unwrap_err().contains("give 64 at most"));
        let addresses = ["10.0.0.2", "fd00::2", "10.0.0.3"].map(|one| one.parse().unwrap());
        let twice = Identity { addresses: addresses.into(), ..Identity::default() };
        assert!(twice.check().unwrap_err().contains("ip=10.0.0.3: it has 10.0.0.2 already"));
    }
}
