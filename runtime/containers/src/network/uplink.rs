//! What of the host's network passt is told: an interface. It takes nothing from it but, for IPv6, its link-local address,
//! without which it has no IPv6 (passt's conf.c, `conf_ip6`).

use std::fs;

/// Ours, of an IPv6 address whose scope is its link (linux/net/ipv6.h, `IPV6_ADDR_LINKLOCAL`), as in /proc/net/if_inet6.
const LINK_LOCAL: &str = "20";

/// And of one that is known elsewhere (`IPV6_ADDR_SCOPE_GLOBAL`).
const GLOBAL: &str = "00";

/// RTF_REJECT, linux/route.h: a route that leads nowhere.
const REJECT: u32 = 0x200;

/// What there always is.
const LOOPBACK: &str = "lo";

/// An interface of the host's.
#[derive(Debug, PartialEq, Eq)]
pub struct Uplink {
    /// Its name.
    pub interface: String,
    /// Whether it has what passt needs for IPv6.
    pub has_ipv6: bool,
    /// Whether the host has an address by which it can call others over IPv6.
    pub reaches_ipv6: bool,
}

impl Uplink {
    /// This host's.
    pub fn find() -> Self {
        let read = |name: &str| fs::read_to_string(format!("/proc/net/{name}")).unwrap_or_default();
        Self::choose(&read("route"), &read("ipv6_route"), &read("if_inet6"))
    }

    /// By the kernel's tables: the routes of both families, and the addresses of IPv6.
    fn choose(routes: &str, routes_v6: &str, addresses_v6: &str) -> Self {
        let addresses: Vec<Vec<&str>> = addresses_v6.lines().map(words).collect();
        let with = |scope: &str, interface: Option<&str>| {
            let mut found = addresses.iter().filter_map(|line| match line[..] {
                [_, _, _, of, _, name] if of == scope => Some(name),
                _ => None,
            });
            found.find(|name| interface.is_none_or(|interface| interface == *name))
        };
        let of_route = default_v6(routes_v6).and_then(|name| with(LINK_LOCAL, Some(name)));
        let interface = of_route.or_else(|| with(LINK_LOCAL, None));
        let has_ipv6 = interface.is_some();
        Self {
            interface: interface.or_else(|| default_v4(routes)).unwrap_or(LOOPBACK).to_owned(),
            has_ipv6,
            reaches_ipv6: has_ipv6 && with(GLOBAL, None).is_some(),
        }
    }
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

/// The interface of the default route: linux/net/ipv4/fib_trie.c, `fib_route_seq_show`.
fn default_v4(routes: &str) -> Option<&str> {
    routes.lines().map(words).find_map(|line| match line[..] {
        [name, "00000000", _, _, _, _, _, "00000000", ..] => Some(name),
        _ => None,
    })
}

/// Likewise: linux/net/ipv6/route.c, `rt6_info_route` and `ipv6_route_seq_show`.
fn default_v6(routes: &str) -> Option<&str> {
    routes.lines().map(words).find_map(|line| match line[..] {
        [to, "00", _, _, _, _, _, _, flags, name] if to.bytes().all(|digit| digit == b'0') => {
            let flags = u32::from_str_radix(flags, 16).unwrap_or(REJECT);
            (flags & REJECT == 0 && name != LOOPBACK).then_some(name)
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTES: &str = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
        eth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n\
        eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n";
    const ANY: &str = "00000000000000000000000000000000";
    const REST: &str = "00000400 00000001 00000000";

    fn addresses(lines: &[(&str, &str)]) -> String {
        lines.iter().map(|(scope, name)| format!("{ANY} 02 40 {scope} 80 {name:>8}\n")).collect()
    }

    #[test]
    fn the_interface_of_the_default_route_is_taken_if_it_can_be() {
        let route =
            |name: &str, flags: &str| format!("{ANY} 00 {ANY} 00 {ANY} {REST} {flags} {name:>8}\n");
        let routes = route("lo", "00200200") + &route("wlan0", "00450003");
        let all = addresses(&[("10", "lo"), ("20", "br0"), ("20", "wlan0"), ("00", "wlan0")]);
        let chosen = |v4: &str, v6: &str, addresses: &str| {
            let Uplink { interface, has_ipv6, reaches_ipv6 } = Uplink::choose(v4, v6, addresses);
            (interface, has_ipv6, reaches_ipv6)
        };
        assert_eq!(chosen(ROUTES, &routes, &all), ("wlan0".into(), true, true));
        // One with a link-local address does, if need be.
        let links = addresses(&[("10", "lo"), ("20", "br0")]);
        assert_eq!(chosen(ROUTES, "", &links), ("br0".into(), true, false));
        let loopback = addresses(&[("10", "lo")]);
        assert_eq!(chosen(ROUTES, &routes, &loopback), ("eth0".into(), false, false));
        // A host that is on its own.
        assert_eq!(chosen("", "", ""), ("lo".into(), false, false));
    }
}
