use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::network::attach::survey::LinkNeighbour;

/// The bits of an address, one by one.
fn bits(ip: IpAddr) -> Vec<bool> {
    let bytes = match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1)).collect()
}

fn ip(v6: bool, number: u128) -> IpAddr {
    if v6 { IpAddr::V6(number.into()) } else { IpAddr::V4((number as u32).into()) }
}

/// RFC 4291, appendix A, in words: the two halves of the address around ff:fe, the second bit of all turned over.
fn link_local(MacAddress(mac): MacAddress) -> IpAddr {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let digits = format!("{:02x}{}fffe{}", mac[0] ^ 2, hex(&mac[1..3]), hex(&mac[3..]));
    let groups: Vec<&str> = (0..4).map(|group| &digits[group * 4..group * 4 + 4]).collect();
    format!("fe80::{}", groups.join(":")).parse().unwrap()
}

fn link() -> impl Strategy<Value = Link> {
    let mac = prop_oneof![4 => any::<[u8; 5]>().prop_map(Some), 1 => Just(None)];
    let names = prop_oneof![8 => "[a-z]{1,6}[0-9]", 1 => any::<String>()];
    let mtus = prop_oneof![4 => Just(1500u32), 1 => any::<u32>()];
    let rest = (any::<bool>(), prop::bool::weighted(0.9), prop::bool::weighted(0.1));
    (1u32..6, names, mac, mtus, rest).prop_map(|(index, name, mac, mtu, rest)| Link {
        index,
        name,
        kind: rest.0.then(|| "veth".to_owned()),
        is_loopback: rest.2,
        mac: mac.map(|[a, b, c, d, e]| MacAddress([2, a, b, c, d, e])),
        mtu,
        is_up: rest.1,
    })
}

/// Networks that are near each other, so that they often are the same.
fn near(v6: bool) -> impl Strategy<Value = Cidr> {
    let prefixes = if v6 { 60u8..=128 } else { 22u8..=32 };
    (0u128..4, 1u128..4, prefixes).prop_map(move |(high, low, prefix)| {
        let base = if v6 { 0x2001_0db8_u128 << 96 } else { 0x0a00_0000 };
        Cidr { ip: ip(v6, base | high << 8 | low), prefix }
    })
}

fn address() -> impl Strategy<Value = Address> {
    let cidr = any::<bool>().prop_flat_map(near);
    (1u32..6, cidr, any::<bool>()).prop_map(|(link, address, has_network)| Address {
        link,
        address,
        has_network,
    })
}

fn way() -> impl Strategy<Value = Way> {
    let cidr = any::<bool>().prop_flat_map(near);
    let rest = (any::<bool>(), any::<bool>(), prop::bool::weighted(0.02));
    (prop::option::of(1u32..6), cidr, 0u32..3, rest).prop_map(|(link, cidr, metric, rest)| Way {
        link,
        route: Route {
            destination: network(cidr).unwrap(),
            gateway: rest.0.then_some(cidr.ip),
            onlink: false,
            metric,
        },
        is_kernels: rest.1,
        surplus: rest.2.then_some("is strange"),
    })
}

fn neighbour() -> impl Strategy<Value = LinkNeighbour> {
    (1u32..6, any::<u8>()).prop_map(|(link, last)| LinkNeighbour {
        link,
        ip: IpAddr::V4([10, 0, 0, last].into()),
        mac: MacAddress([2, 0, 0, 0, 0, last]),
    })
}

fn any_survey() -> impl Strategy<Value = Survey> {
    (vec(link(), 0..5), vec(address(), 0..8), vec(way(), 0..12), vec(neighbour(), 0..4)).prop_map(
        |(mut links, mut addresses, ways, neighbours)| {
            links.sort_by_key(|link| link.index);
            links.dedup_by_key(|link| link.index);
            // As each link has it that takes IPv6.
            for link in &links {
                if let Some(mac) = link.mac {
                    let address = Cidr { ip: link_local(mac), prefix: 64 };
                    addresses.push(Address { link: link.index, address, has_network: true });
                }
            }
            Survey { links, addresses, ways, neighbours, left_out: 0 }
        },
    )
}

/// Whether the guest's kernel makes this route with these addresses, bit by bit.
fn is_made(way: &Way, addresses: &[Cidr]) -> bool {
    let to = way.route.destination;
    let same = |address: &Cidr| {
        let length = usize::from(address.prefix);
        address.ip.is_ipv4() == to.ip.is_ipv4()
            && address.prefix == to.prefix
            && bits(address.ip)[..length] == bits(to.ip)[..length]
    };
    way.is_kernels && way.route.gateway.is_none() && addresses.iter().any(same)
}

#[test]
fn a_guest_s_own_address_is_known() {
    let mac = MacAddress([0x6a, 0xa0, 0x7b, 0x46, 0x86, 0x8e]);
    assert_eq!(link_local(mac), "fe80::68a0:7bff:fe46:868e".parse::<IpAddr>().unwrap());
}

proptest! {
    #[test]
    fn a_network_is_the_bits_of_its_prefix(v6 in any::<bool>(), number in any::<u128>(), prefix in 0u8..140) {
        let cidr = Cidr { ip: ip(v6, number), prefix };
        let all = bits(cidr.ip);
        let Some(network) = network(cidr) else {
            prop_assert!(usize::from(prefix) > all.len());
            return Ok(());
        };
        let kept = |(place, bit): (usize, bool)| place < usize::from(prefix) && bit;
        let expected: Vec<bool> = all.into_iter().enumerate().map(kept).collect();
        prop_assert_eq!((bits(network.ip), network.prefix), (expected, prefix));
    }

    /// Whatever is there: what comes out can be told to a guest, is all of what there is, and is nothing else; or there
    /// is a reason.
    #[test]
    fn a_guest_is_told_all_of_it_or_why_not(survey in any_survey()) {
        let has = |link: &Link, address: &Address| {
            address.link == link.index && link.mac.is_none_or(|mac| link_local(mac) != address.address.ip)
        };
        let wanted: Vec<&Link> = survey
            .links
            .iter()
            .filter(|link| !link.is_loopback && survey.addresses.iter().any(|one| has(link, one)))
            .collect();
        let all = match describe(&survey) {
            Ok(all) => all,
            Err(fault) => {
                let reason = match &fault {
                    Fault::Empty => wanted.is_empty(),
                    Fault::Down { name } => wanted.iter().any(|one| one.name == *name && !one.is_up),
                    Fault::NotEthernet { name, .. } => {
                        wanted.iter().any(|one| one.name == *name && one.mac.is_none())
                    }
                    Fault::Route { to, .. } => survey
                        .ways
                        .iter()
                        .any(|way| way.surplus.is_some() && way.route.destination == *to),
                    // Names, numbers and addresses that a guest cannot have: protocol's own tests.
                    Fault::Network(_) => true,
                    _ => false,
                };
                prop_assert!(reason, "{}", fault);
                return Ok(());
            }
        };
        prop_assert_eq!(all.iter().map(|one| &one.link).collect::<Vec<_>>(), wanted);
        for Described { link, interface } in all {
            prop_assert_eq!((&link.name, link.mac, link.mtu), (&interface.name, Some(interface.mac), interface.mtu));
            let its: Vec<&Address> = survey.addresses.iter().filter(|one| has(&link, one)).collect();
            prop_assert_eq!(interface.addresses.len(), its.len());
            for (told, one) in interface.addresses.iter().zip(&its) {
                prop_assert_eq!(told.ip, one.address.ip);
                let whole = bits(told.ip).len() as u8;
                prop_assert_eq!(told.prefix, if one.has_network { one.address.prefix } else { whole });
            }
            let with_network: Vec<Cidr> =
                its.iter().filter(|one| one.has_network).map(|one| one.address).collect();
            let ways = survey.ways.iter().filter(|way| way.link == Some(link.index));
            let routes: Vec<Route> =
                ways.filter(|way| !is_made(way, &with_network)).map(|way| way.route).collect();
            prop_assert_eq!(interface.routes, routes);
            let count = survey.neighbours.iter().filter(|one| one.link == link.index).count();
            prop_assert_eq!(interface.neighbours.len(), count);
        }
    }
}
