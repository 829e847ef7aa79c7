//! Packets to a loopback address, which no wire has (RFC 1122, §3.2.1.3; RFC 4291, §2.5.3). A kernel drops them; a program
//! that makes connections of them, as passt does, would call the host's own loopback interface for the guest (passt before
//! its releases of 2024 looks at no such address).

use std::net::{Ipv4Addr, Ipv6Addr};

/// IEEE 802.3, §3.1.1: behind two addresses. The numbers are IANA's.
const ETHERTYPE: std::ops::Range<usize> = 12..14;
const IPV4: [u8; 2] = [0x08, 0x00];
const IPV6: [u8; 2] = [0x86, 0xdd];

/// The destination in a frame: RFC 791, §3.1, and RFC 8200, §3, behind the Ethernet header.
const TO_IPV4: usize = 14 + 16;
const TO_IPV6: usize = 14 + 24;

/// Whether a frame is for an address that stands for the machine itself, however it is written.
pub fn is_for_loopback(frame: &[u8]) -> bool {
    match frame.get(ETHERTYPE).map(|kind| kind.try_into()) {
        Some(Ok(IPV4)) => address(frame, TO_IPV4).is_some_and(|ip| is_own_v4(Ipv4Addr::from(ip))),
        Some(Ok(IPV6)) => address(frame, TO_IPV6).is_some_and(|ip| is_own_v6(Ipv6Addr::from(ip))),
        _ => false,
    }
}

fn address<const N: usize>(frame: &[u8], at: usize) -> Option<[u8; N]> {
    frame.get(at..).and_then(<[u8]>::first_chunk).copied()
}

/// A call to 0.0.0.0 is one to oneself, too (linux/net/ipv4/route.c, `ip_route_output_key_hash_rcu`).
fn is_own_v4(ip: Ipv4Addr) -> bool {
    ip.is_loopback() || ip.octets()[0] == 0
}

/// `::`, `::1`, and those with an address of IPv4 inside (RFC 4291, §2.5.5), which no wire has either.
fn is_own_v6(ip: Ipv6Addr) -> bool {
    matches!(ip.segments(), [0, 0, 0, 0, 0, 0 | 0xffff, _, _])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(kind: [u8; 2], to: &[u8]) -> Vec<u8> {
        let before = if kind == IPV4 { 16 } else { 24 };
        [&[2; 12][..], &kind, &vec![0x45; before], to, b"payload"].concat()
    }

    fn dropped(to: &str) -> bool {
        match to.parse().unwrap() {
            std::net::IpAddr::V4(ip) => is_for_loopback(&frame(IPV4, &ip.octets())),
            std::net::IpAddr::V6(ip) => is_for_loopback(&frame(IPV6, &ip.octets())),
        }
    }

    #[test]
    fn whatever_means_the_machine_itself_is_found() {
        for to in [
            "127.0.0.1",
            "127.255.255.255",
            "0.0.0.0",
            "0.1.2.3",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::7f00:1",
        ] {
            assert!(dropped(to), "{to}");
        }
        for to in [
            "10.0.2.2",
            "128.0.0.1",
            "126.255.255.255",
            "1.0.0.0",
            "255.255.255.255",
            "fe80::1",
            "::1:0:0:1",
            "64:ff9b::7f00:1",
            "ff02::1",
        ] {
            assert!(!dropped(to), "{to}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn as_the_standard_library_has_it(ip: [u8; 16], short: [u8; 4], cut in 0usize..64) {
            let (v4, v6) = (Ipv4Addr::from(short), Ipv6Addr::from(ip));
            prop_assert_eq!(is_for_loopback(&frame(IPV4, &short)), v4.is_loopback() || short[0] == 0);
            let is_own = v6.is_loopback() || v6.is_unspecified() || v6.to_ipv4().is_some();
            prop_assert_eq!(is_for_loopback(&frame(IPV6, &ip)), is_own);
            let mapped = v4.to_ipv6_mapped().octets();
            prop_assert!(is_for_loopback(&frame(IPV6, &mapped)));
            // What is too short for an address is for nobody.
            let whole = frame(IPV6, &[0; 16]);
            prop_assert_eq!(is_for_loopback(&whole[..cut.min(whole.len())]), cut >= TO_IPV6 + 16);
        }
    }
}
