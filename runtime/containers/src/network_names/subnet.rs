//! Blocks of addresses: a subnet of a network, of IPv4 or IPv6.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

/// A block of addresses that share a prefix, written `10.89.0.0/24` (RFC 4632, §3.1; RFC 4291, §2.3). All bits behind the
/// prefix are 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Subnet {
    address: IpAddr,
    prefix: u8,
}

/// What no network of ours may have, with what it is for: IANA's special-purpose registries (RFC 6890), as far as an
/// interface cannot have such an address, or means something else by it.
const SPECIAL: [(IpAddr, u8, &str); 8] = [
    (IpAddr::V4(Ipv4Addr::new(0, 0, 0, 0)), 8, "\"this\" network"),
    (IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), 8, "loopback"),
    (IpAddr::V4(Ipv4Addr::new(169, 254, 0, 0)), 16, "link-local"),
    (IpAddr::V4(Ipv4Addr::new(224, 0, 0, 0)), 3, "multicast or reserved"),
    // IPv4-mapped, -compatible, loopback and unspecified addresses.
    (IpAddr::V6(Ipv6Addr::UNSPECIFIED), 80, "of IPv4, loopback or unspecified"),
    (IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0)), 10, "link-local"),
    (IpAddr::V6(Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0)), 8, "multicast"),
    (IpAddr::V6(Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0)), 64, "for discarding"),
];

impl Subnet {
    /// The block of this address.
    pub fn of(address: IpAddr, prefix: u8) -> Self {
        let prefix = prefix.min(bits(address));
        let below = mask(bits(address) - prefix);
        Self { address: at(address, number(address) & !below), prefix }
    }

    /// Reads `ADDRESS/BITS`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let shown = text.escape_debug();
        let wrong =
            || format!("'{shown}' is no subnet: give one like 10.89.0.0/24 or fd00:89::/64");
        let (address, prefix) = text.split_once('/').ok_or_else(wrong)?;
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        // No sign, and no zeros in front of it.
        let plain = prefix.bytes().all(|byte| byte.is_ascii_digit()) && !prefix.starts_with('0');
        let prefix = prefix.parse().ok().filter(|_| plain || prefix == "0");
        let prefix = prefix.filter(|&prefix| prefix <= bits(address)).ok_or_else(wrong)?;
        let subnet = Self::of(address, prefix);
        match subnet.address == address {
            true => Ok(subnet),
            false => Err(format!("'{shown}' has bits behind its prefix: give {subnet}")),
        }
    }

    /// Whether a network can have it: it has room for a gateway and a container, and its addresses are for hosts. If not,
    /// what would be right.
    pub fn check(&self) -> Result<(), String> {
        // An address for the network, one for the gateway, one for a container, and one more that completes the block: of
        // IPv4 for broadcasts.
        let most = bits(self.address) - 2;
        if self.prefix > most {
            return Err(format!("a gateway and a container need room: give /{most} or less"));
        }
        let family = if self.is_ipv6() { "fd00:89::/64" } else { "10.89.0.0/24" };
        for (address, prefix, purpose) in SPECIAL {
            let special = Self::of(address, prefix);
            if self.overlaps(&special) {
                return Err(format!(
                    "overlaps {special}, which is {purpose}: give one like {family}"
                ));
            }
        }
        Ok(())
    }

    /// The block's address.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// How many bits all its addresses share.
    pub fn prefix(&self) -> u8 {
        self.prefix
    }

    /// Whether it is of IPv6.
    pub fn is_ipv6(&self) -> bool {
        self.address.is_ipv6()
    }

    /// Whether an address is in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        Self::of(address, self.prefix) == *self
    }

    /// Whether an address is in both.
    pub fn overlaps(&self, other: &Self) -> bool {
        let prefix = self.prefix.min(other.prefix);
        Self::of(self.address, prefix) == Self::of(other.address, prefix)
    }

    /// The lowest address that a host may have: the block's own is the network (RFC 1122, §3.2.1.3), or any of its routers
    /// (RFC 4291, §2.6.1).
    pub fn first(&self) -> IpAddr {
        at(self.address, number(self.address) + 1)
    }

    /// The highest: of IPv4 the one below the broadcast.
    pub fn last(&self) -> IpAddr {
        let all = number(self.address) | mask(bits(self.address) - self.prefix);
        at(self.address, all - u128::from(!self.is_ipv6()))
    }

    /// The one that a host may have behind `address`, and the first behind the last. The address is in this block.
    pub fn after(&self, address: IpAddr) -> IpAddr {
        match address >= self.last() {
            true => self.first(),
            false => at(self.address, number(address) + 1).max(self.first()),
        }
    }

    /// Whether a host may have it; if not, what it is.
    pub fn check_host(&self, address: IpAddr) -> Result<(), &'static str> {
        match address {
            _ if !self.contains(address) => Err("is outside of it"),
            _ if address < self.first() => Err("is the network's own"),
            _ if address > self.last() => Err("is its broadcast address"),
            _ => Ok(()),
        }
    }

    /// The block of the same size behind it, below the end of the addresses.
    pub fn next(&self) -> Option<Self> {
        let step = 1u128.checked_shl(u32::from(bits(self.address) - self.prefix))?;
        let next = number(self.address).checked_add(step)?;
        let fits = self.is_ipv6() || next <= u128::from(u32::MAX);
        fits.then(|| Self { address: at(self.address, next), prefix: self.prefix })
    }
}

/// How many bits an address of this family has.
fn bits(address: IpAddr) -> u8 {
    if address.is_ipv6() { 128 } else { 32 }
}

/// So many ones.
fn mask(bits: u8) -> u128 {
    1u128.checked_shl(u32::from(bits)).map_or(u128::MAX, |power| power - 1)
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// The address with this number, of the family of another.
fn at(family: IpAddr, number: u128) -> IpAddr {
    match family {
        IpAddr::V4(_) => Ipv4Addr::from_bits(number as u32).into(),
        IpAddr::V6(_) => Ipv6Addr::from_bits(number).into(),
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl TryFrom<String> for Subnet {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<Subnet> for String {
    fn from(subnet: Subnet) -> Self {
        subnet.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn subnet(text: &str) -> Subnet {
        Subnet::parse(text).unwrap()
    }

    #[test]
    fn what_is_wrong_is_said_with_what_would_be_right() {
        for (text, message) in [
            ("10.0.0.0", "is no subnet"),
            ("10.0.0.0/33", "is no subnet"),
            ("10.0.0.0/+8", "is no subnet"),
            ("10.0.0.0/08", "is no subnet"),
            ("10.0.0/8", "is no subnet"),
            ("fd00::/129", "is no subnet"),
            ("\u{1b}/8", "'\\u{1b}/8' is no subnet"),
            ("10.1.2.3/16", "give 10.1.0.0/16"),
            ("fd00::1/64", "give fd00::/64"),
        ] {
            let error = Subnet::parse(text).unwrap_err();
            assert!(error.contains(message) && !error.contains('\n'), "{text}: {error}");
        }
        for (text, message) in [
            ("10.0.0.0/31", "give /30 or less"),
            ("fd00::/127", "give /126 or less"),
            ("127.0.0.0/24", "loopback"),
            ("0.0.0.0/0", "overlaps 0.0.0.0/8"),
            ("240.0.0.0/24", "multicast or reserved"),
            ("fe80::/64", "link-local"),
            ("::/0", "of IPv4"),
            ("::ffff:0:0/112", "of IPv4"),
        ] {
            let error = subnet(text).check().unwrap_err();
            assert!(error.contains(message), "{text}: {error}");
        }
        for right in ["10.0.0.0/30", "fd00::/126", "10.0.0.0/8", "203.0.113.0/24", "2001:db8::/32"]
        {
            subnet(right).check().unwrap();
        }
    }

    #[test]
    fn hosts_stand_between_the_ends() {
        for (text, first, last) in [
            ("10.89.0.0/24", "10.89.0.1", "10.89.0.254"),
            ("10.89.0.4/30", "10.89.0.5", "10.89.0.6"),
            ("fd00::/126", "fd00::1", "fd00::3"),
            ("255.255.255.252/30", "255.255.255.253", "255.255.255.254"),
        ] {
            let subnet = subnet(text);
            assert_eq!(
                (subnet.first().to_string(), subnet.last().to_string()),
                (first.into(), last.into())
            );
            assert_eq!(subnet.after(subnet.last()), subnet.first());
            assert_eq!(subnet.after(subnet.address()), subnet.first());
        }
        assert_eq!(subnet("10.89.255.0/24").next(), Some(subnet("10.90.0.0/24")));
        assert_eq!(subnet("255.255.255.0/24").next(), None);
    }

    /// Of few bits, so that two often meet.
    fn any() -> impl Strategy<Value = Subnet> {
        let v4 = (0..64u32, 26..=32u8)
            .prop_map(|(low, prefix)| (IpAddr::from(Ipv4Addr::from_bits(low)), prefix));
        let v6 = (0..64u128, 122..=128u8)
            .prop_map(|(low, prefix)| (IpAddr::from(Ipv6Addr::from_bits(low)), prefix));
        prop_oneof![v4, v6].prop_map(|(address, prefix)| Subnet::of(address, prefix))
    }

    fn members(subnet: &Subnet) -> Vec<IpAddr> {
        (0..64).map(|low| at(subnet.address, low)).filter(|&one| subnet.contains(one)).collect()
    }

    proptest! {
        #[test]
        fn blocks_overlap_where_they_share_an_address(a in any(), b in any()) {
            let (ours, theirs) = (members(&a), members(&b));
            prop_assert_eq!(ours.len(), 1 << (bits(a.address) - a.prefix));
            prop_assert_eq!(a.overlaps(&b), ours.iter().any(|one| theirs.contains(one)));
            prop_assert_eq!(Subnet::parse(&a.to_string()), Ok(a));
        }
    }
}
