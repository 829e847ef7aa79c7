//! Addresses that no rule opens: those of the link, where clouds hand out credentials, and those that are no
//! destination at all.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether an address is link-local (169.254.0.0/16, RFC 3927; fe80::/10, RFC 4291 §2.5.6), or an IPv6 address that
/// a translator or a tunnel turns into such an IPv4 address.
///
/// A network that translates from a prefix of its own choice (RFC 6052 §2.2) can't be told from any other.
pub fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => {
            v6.is_unicast_link_local() || carried(v6).iter().flatten().any(Ipv4Addr::is_link_local)
        }
    }
}

/// Whether nothing on a wire may have this address: 0.0.0.0/8 and 127.0.0.0/8 (RFC 1122 §3.2.1.3), `::`, `::1` (RFC
/// 4291 §2.5.2, §2.5.3), and the IPv6 addresses that carry one of those.
pub fn is_unroutable(address: IpAddr) -> bool {
    let v4 = |v4: &Ipv4Addr| v4.octets()[0] == 0 || v4.is_loopback();
    match address {
        IpAddr::V4(address) => v4(&address),
        IpAddr::V6(v6) => {
            v6.is_unspecified() || v6.is_loopback() || v6.to_ipv4_mapped().is_some_and(|it| v4(&it))
        }
    }
}

/// The IPv4 addresses that an IPv6 address may stand for.
fn carried(address: Ipv6Addr) -> [Option<Ipv4Addr>; 3] {
    let at = |place: usize| {
        let octets = address.octets();
        Ipv4Addr::new(octets[place], octets[place + 1], octets[place + 2], octets[place + 3])
    };
    let last = at(12);
    match address.segments() {
        // Compatible (RFC 4291 §2.5.5.1), mapped (§2.5.5.2), translated (RFC 2765 §2.1).
        [0, 0, 0, 0, 0, 0 | 0xffff, ..] | [0, 0, 0, 0, 0xffff, 0, ..] => [Some(last), None, None],
        // NAT64's well-known prefix (RFC 6052 §2.1).
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => [Some(last), None, None],
        // Its local one (RFC 8215): of any length from 48 on. Around bits 64 to 71, or at the end (RFC 6052 §2.2).
        [0x64, 0xff9b, 1, ..] => {
            let o = address.octets();
            let of_48 = Ipv4Addr::new(o[6], o[7], o[9], o[10]);
            let of_64 = Ipv4Addr::new(o[9], o[10], o[11], o[12]);
            [Some(of_48), Some(of_64), Some(last)]
        }
        // 6to4 (RFC 3056 §2).
        [0x2002, ..] => [Some(at(2)), None, None],
        // Teredo: its server, and its client with all bits turned (RFC 4380 §4).
        [0x2001, 0, ..] => [Some(at(4)), Some(Ipv4Addr::from(!u32::from(last))), None],
        // ISATAP, below any prefix (RFC 5214 §6.1).
        [_, _, _, _, 0 | 0x200, 0x5efe, ..] => [Some(last), None, None],
        _ => [None; 3],
    }
}
