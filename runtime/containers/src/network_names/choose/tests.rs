//! What is asked for, and what comes of it.

use proptest::prelude::*;

use super::super::host::Taken;
use super::*;

fn subnet(text: &str) -> Subnet {
    Subnet::parse(text).unwrap()
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A host with a network card, docker's bridge, and a route to everywhere in a company.
fn host() -> HostNetwork {
    let links =
        [(1, "lo"), (2, "eth0"), (3, "docker0")].map(|(number, name)| (number, name.to_owned()));
    let taken = [
        ("127.0.0.0/8", Some(1)),
        ("192.168.1.0/24", Some(2)),
        ("172.17.0.0/16", Some(3)),
        ("10.89.0.0/23", None),
    ];
    let taken = taken.map(|(text, link)| Taken { subnet: subnet(text), link });
    HostNetwork { links: links.into(), taken: taken.into(), ..HostNetwork::default() }
}

fn new(name: &str) -> NewNetwork {
    NewNetwork { name: name.to_owned(), ..NewNetwork::default() }
}

fn refused(new: NewNetwork, others: &[Network]) -> String {
    let error = host::text::in_one_line(&new.choose(others, &self::host()).unwrap_err());
    assert!(!error.contains('\n'), "{error}");
    error
}

#[test]
fn what_is_not_named_is_chosen() {
    let plain = new("web").choose(&[], &host()).unwrap();
    // The host has the first two of the pool.
    assert_eq!(
        plain.ranges,
        [Range { subnet: subnet("10.89.2.0/24"), gateway: address("10.89.2.1") }]
    );
    assert_eq!(plain.interface, format!("bh-{}", plain.id.short()));
    assert!(plain.interface.len() == 15 && plain.check().is_ok());
    let next = new("db").choose(std::slice::from_ref(&plain), &host()).unwrap();
    assert_eq!(next.ranges[0].subnet, subnet("10.89.3.0/24"));
    let both = NewNetwork { ipv6: true, ..new("six") }.choose(&[plain, next], &host()).unwrap();
    assert_eq!(both.ranges[0].subnet, subnet("10.89.4.0/24"));
    let six = both.ranges[1];
    assert!(subnet("fd00::/8").contains(six.gateway) && six.subnet.prefix() == 64, "{six:?}");
    assert_eq!(six.gateway, six.subnet.first());
    let only =
        NewNetwork { ipv6: true, no_ipv4: true, ..new("only") }.choose(&[], &host()).unwrap();
    assert!(only.ranges.len() == 1 && only.has_ipv6());
}

#[test]
fn what_is_named_is_taken() {
    let wish = NewNetwork {
        subnets: vec![subnet("fd00:1::/126"), subnet("10.1.0.0/30")],
        gateways: vec![address("10.1.0.2"), address("fd00:1::3")],
        internal: true,
        mtu: Some(9000),
        interface: Some("br-web".to_owned()),
        ..new("web")
    };
    let made = wish.choose(&[], &host()).unwrap();
    let gateways: Vec<IpAddr> = made.ranges.iter().map(|range| range.gateway).collect();
    assert_eq!(gateways, [address("10.1.0.2"), address("fd00:1::3")]);
    assert!(made.internal && made.mtu == Some(9000) && made.interface == "br-web");
    made.check().unwrap();
}

#[test]
fn what_cannot_be_is_said_with_its_flag() {
    let web = NewNetwork { subnets: vec![subnet("10.1.0.0/16")], ..new("web") };
    let web = web.choose(&[], &host()).unwrap();
    let with = |subnets: &[&str], gateways: &[&str]| NewNetwork {
        subnets: subnets.iter().map(|text| subnet(text)).collect(),
        gateways: gateways.iter().map(|text| address(text)).collect(),
        ..new("x")
    };
    let v4 = ["10.2.0.0/24"];
    let cases = [
        (new("web"), "the name web is taken by network"),
        (new("none"), "'none' is no name for a network"),
        (
            with(&["10.1.7.0/24"], &[]),
            "--subnet 10.1.7.0/24: overlaps 10.1.0.0/16, that of network web",
        ),
        (
            with(&["192.168.0.0/16"], &[]),
            "overlaps 192.168.1.0/24, which this host reaches by eth0",
        ),
        (with(&["10.88.0.0/13"], &[]), "overlaps 10.89.0.0/23, a route of this host: give another"),
        (
            with(&["10.2.0.0/31"], &[]),
            "--subnet 10.2.0.0/31: a gateway and a container need room: give /30",
        ),
        (with(&["127.1.0.0/24"], &[]), "loopback"),
        (
            with(&["10.2.0.0/24", "10.3.0.0/24"], &[]),
            "--subnet 10.3.0.0/24: a network has one subnet of IPv4",
        ),
        (
            with(&v4, &["10.2.0.0"]),
            "--gateway 10.2.0.0: is the network's own in 10.2.0.0/24: give one of 10.2.0.1 to",
        ),
        (with(&v4, &["10.2.0.255"]), "--gateway 10.2.0.255: is its broadcast address"),
        (
            with(&v4, &["10.3.0.1"]),
            "--gateway 10.3.0.1: is not in 10.2.0.0/24: give one of 10.2.0.1 to 10.2.0.254",
        ),
        (with(&v4, &["10.2.0.1", "10.2.0.2"]), "--gateway 10.2.0.2: 10.2.0.1 is the gateway"),
        (with(&v4, &["fd00::1"]), "--gateway fd00::1: is in no subnet that was given"),
        (
            NewNetwork { no_ipv4: true, ..new("x") },
            "--ipv4 false: it would have no addresses at all: add --ipv6",
        ),
        (
            NewNetwork { no_ipv4: true, ipv6: true, ..with(&v4, &[]) },
            "--subnet 10.2.0.0/24: --ipv4=false",
        ),
        (NewNetwork { mtu: Some(67), ..new("x") }, "--opt mtu=67: a network has 68 to 65521 bytes"),
        (
            NewNetwork { mtu: Some(1279), ipv6: true, ..new("x") },
            "--opt mtu=1279: a network with IPv6 has 1280",
        ),
        (
            NewNetwork { interface: Some("eth0".into()), ..new("x") },
            "--opt bridge=eth0: this host has an interface",
        ),
        (
            NewNetwork { interface: Some(web.interface.clone()), ..new("x") },
            "it is that of network web",
        ),
        (
            NewNetwork { interface: Some("a/b".into()), ..new("x") },
            "'a/b' is no name for an interface",
        ),
    ];
    for (wish, message) in cases {
        let error = refused(wish, std::slice::from_ref(&web));
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn a_pool_that_is_used_up_is_said() {
    let taken = Taken { subnet: subnet("10.0.0.0/8"), link: None };
    let host = HostNetwork { taken: vec![taken], ..HostNetwork::default() };
    let error = new("x").choose(&[], &host).unwrap_err().to_string();
    assert!(error.contains("give one with --subnet"), "{error}");
}

proptest! {
    /// Whatever others have, a network shares no address with them.
    #[test]
    fn no_two_networks_share_an_address(
        taken in proptest::collection::vec((any::<u32>(), 12..=24u8), 0..40),
        counts in 1..6usize,
    ) {
        let taken = taken.into_iter().map(|(low, prefix)| {
            // Most of them in the pool, or about it.
            let address = std::net::Ipv4Addr::from_bits(0x0a58_0000 + (low & 0x0003_ffff));
            Taken { subnet: Subnet::of(address.into(), prefix), link: None }
        });
        let host = HostNetwork { taken: taken.collect(), ..HostNetwork::default() };
        let mut all: Vec<Network> = Vec::new();
        for number in 0..counts {
            let wish = NewNetwork { ipv6: true, ..new(&format!("n{number}")) };
            let made = match wish.choose(&all, &host) {
                Ok(made) => made,
                Err(error) => return Err(TestCaseError::fail(error.to_string())),
            };
            prop_assert_eq!(made.check(), Ok(()));
            for range in &made.ranges {
                prop_assert!(host.taken.iter().all(|taken| !taken.subnet.overlaps(&range.subnet)));
                let others = all.iter().flat_map(|other| &other.ranges);
                prop_assert!(others.into_iter().all(|other| !other.subnet.overlaps(&range.subnet)));
            }
            prop_assert!(all.iter().all(|other| other.interface != made.interface));
            all.push(made);
        }
    }
}
