mod lengths;

use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;
use crate::frame::tests::byte_string;

fn cidr() -> impl Strategy<Value = Cidr> {
    any::<(IpAddr, u8)>().prop_map(|(ip, prefix)| Cidr { ip, prefix })
}

fn route() -> impl Strategy<Value = Route> {
    (cidr(), any::<(Option<IpAddr>, bool, u32)>()).prop_map(
        |(destination, (gateway, onlink, metric))| Route { destination, gateway, onlink, metric },
    )
}

prop_compose! {
    fn interface()(
        name in any::<String>(),
        mac in any::<[u8; 6]>(),
        mtu in any::<u32>(),
        addresses in prop::collection::vec(cidr(), 0..3),
        routes in prop::collection::vec(route(), 0..3),
        neighbours in prop::collection::vec(any::<(IpAddr, [u8; 6])>(), 0..3),
    ) -> Interface {
        let neighbours = neighbours.into_iter();
        let neighbours = neighbours.map(|(ip, mac)| Neighbour { ip, mac: MacAddress(mac) });
        let (mac, neighbours) = (MacAddress(mac), neighbours.collect());
        Interface { name, mac, mtu, addresses, routes, neighbours }
    }
}

prop_compose! {
    /// Any, whether it makes sense or not.
    pub(crate) fn network()(
        interfaces in prop::collection::vec(interface(), 0..3),
        nameservers in any::<Vec<IpAddr>>(),
        search in prop::collection::vec(byte_string(), 0..3),
        options in prop::collection::vec(byte_string(), 0..3),
        hosts in prop::collection::vec((byte_string(), any::<IpAddr>()), 0..3),
        own_addresses in any::<Vec<IpAddr>>(),
        sysctls in prop::collection::vec((byte_string(), byte_string()), 0..3),
    ) -> Network {
        let hosts = hosts.into_iter().map(|(name, ip)| Host { name, ip }).collect();
        let sysctls = sysctls.into_iter().map(|(key, value)| Sysctl { key, value }).collect();
        let resolver = Resolver { nameservers, search, options };
        Network { interfaces, resolver, hosts, own_addresses, sysctls }
    }
}

/// What docker gives a container on its usual bridge, and IPv6.
fn usual() -> Network {
    let cidr = |text: &str, prefix| Cidr { ip: text.parse().unwrap(), prefix };
    let default = |network, gateway: &str| Route {
        destination: cidr(network, 0),
        gateway: Some(gateway.parse().unwrap()),
        onlink: false,
        metric: 0,
    };
    let eth0 = Interface {
        name: "eth0".to_owned(),
        mac: MacAddress([2, 0x42, 0xac, 0x11, 0, 2]),
        mtu: 1500,
        addresses: vec![cidr("172.17.0.2", 16), cidr("2001:db8::2", 64)],
        routes: vec![default("0.0.0.0", "172.17.0.1"), default("::", "fe80::1")],
        neighbours: vec![Neighbour {
            ip: "172.17.0.1".parse().unwrap(),
            mac: MacAddress([2, 0, 0, 0, 0, 1]),
        }],
    };
    Network {
        interfaces: vec![eth0],
        resolver: Resolver {
            nameservers: vec!["8.8.8.8".parse().unwrap()],
            search: vec!["example.org".into()],
            options: vec!["ndots:0".into()],
        },
        hosts: vec![Host { name: "db".into(), ip: "10.0.0.7".parse().unwrap() }],
        own_addresses: vec!["172.17.0.2".parse().unwrap()],
        sysctls: vec![Sysctl { key: "net.ipv4.ip_forward".into(), value: "1".into() }],
    }
}

#[test]
fn nothing_and_the_usual_are_right() {
    assert_eq!(Network::default().check(), Ok(()));
    assert_eq!(usual().check(), Ok(()));
}

#[test]
fn each_field_is_looked_at() {
    let refused = |change: fn(&mut Network), parts: &[&str]| {
        let mut network = usual();
        change(&mut network);
        let text = network.check().unwrap_err().to_string();
        assert!(text.starts_with("network: ") && !text.contains(char::is_control), "{text}");
        for part in parts {
            assert!(text.contains(part), "{text}: {part}");
        }
    };
    for name in
        ["", "lo", "all", "default", ".", "..", "a/b", "a b", "a:b", "eth%d", "sixteen-letters!"]
    {
        let mut network = usual();
        network.interfaces[0].name = name.to_owned();
        let text = network.check().unwrap_err().to_string();
        assert!(text.contains(&format!("interface: \"{name}\"")), "{text}");
    }
    refused(|n| n.interfaces.push(n.interfaces[0].clone()), &["\"eth0\"", "no other interface"]);
    refused(
        |n| {
            n.interfaces.push(n.interfaces[0].clone());
            n.interfaces[1].name = "eth1".to_owned();
        },
        &["interface eth1: mac: 02:42:ac:11:00:02"],
    );
    refused(
        |n| n.interfaces = vec![n.interfaces[0].clone(); 17],
        &["interfaces: 17", "at most 16"],
    );
    refused(|n| n.interfaces[0].mac.0[0] = 3, &["eth0", "03:42:ac:11:00:02", "one card"]);
    refused(|n| n.interfaces[0].mac.0 = [0; 6], &["00:00:00:00:00:00"]);
    refused(
        |n| n.interfaces[0].neighbours[0].mac.0[0] = 3,
        &["eth0: neighbour 172.17.0.1: 03:00:00:00:00:01", "one card"],
    );
    refused(
        |n| n.interfaces[0].neighbours[0].ip = Ipv4Addr::BROADCAST.into(),
        &["eth0: neighbour: 255.255.255.255", "one machine"],
    );
    refused(
        |n| n.interfaces[0].neighbours = vec![n.interfaces[0].neighbours[0]; 2],
        &["eth0: neighbour: 172.17.0.1 ", "each neighbour once"],
    );
    refused(
        |n| n.interfaces[0].neighbours = vec![n.interfaces[0].neighbours[0]; 129],
        &["eth0: number of neighbours: 129", "at most 128"],
    );
    refused(|n| n.interfaces[0].mtu = 67, &["eth0: mtu: 67 ", "68 to 65535"]);
    refused(|n| n.interfaces[0].mtu = 65536, &["65536"]);
    refused(|n| n.interfaces[0].mtu = 1279, &["1279", "1280 or more"]);
    refused(|n| n.interfaces[0].addresses[0].prefix = 33, &["172.17.0.2/33"]);
    refused(|n| n.interfaces[0].addresses[1].prefix = 129, &["2001:db8::2/129"]);
    refused(|n| n.interfaces[0].addresses[0].ip = Ipv4Addr::UNSPECIFIED.into(), &["0.0.0.0"]);
    refused(|n| n.interfaces[0].addresses[0].ip = Ipv4Addr::BROADCAST.into(), &["255.255"]);
    refused(|n| n.interfaces[0].addresses[1].ip = "ff02::1".parse().unwrap(), &["ff02::1"]);
    refused(
        |n| n.interfaces[0].addresses[1].ip = "::ffff:1.2.3.4".parse().unwrap(),
        &["::ffff:1.2.3.4", "one machine"],
    );
    refused(
        |n| n.interfaces[0].addresses[1] = n.interfaces[0].addresses[0],
        &["each address once"],
    );
    refused(|n| n.interfaces[0].routes[0].destination.prefix = 33, &["route: 0.0.0.0/33 via "]);
    refused(
        |n| n.interfaces[0].routes[0].destination.ip = "10.0.0.1".parse().unwrap(),
        &["eth0: route: 10.0.0.1/0 via 172.17.0.1", "zeros behind"],
    );
    refused(|n| n.interfaces[0].routes[0].gateway = Some(Ipv6Addr::LOCALHOST.into()), &["family"]);
    refused(|n| n.interfaces[0].routes[1].gateway = Some(Ipv6Addr::UNSPECIFIED.into()), &["::"]);
    refused(
        |n| {
            n.interfaces[0].routes[0].gateway = None;
            n.interfaces[0].routes[0].onlink = true;
        },
        &["0.0.0.0/0 onlink", "gateway where"],
    );
    refused(|n| n.resolver.nameservers[0] = Ipv4Addr::UNSPECIFIED.into(), &["nameserver: 0.0.0.0"]);
    refused(|n| n.resolver.search[0] = "a b".into(), &["search: \"a b\""]);
    refused(|n| n.resolver.search[0] = "x".repeat(256).into(), &["search: \"xxx", "x…\""]);
    refused(
        |n| n.resolver.search = vec!["a".into(); 33],
        &["number of words of search: 33 ", "at most 32"],
    );
    refused(|n| n.resolver.options[0] = "a\nnameserver 1.1.1.1".into(), &["options", "a\\nname"]);
    refused(|n| n.hosts[0].name = "".into(), &["hosts: \"\""]);
    refused(|n| n.hosts[0].name = "#".into(), &["hosts: \"#\""]);
    refused(|n| n.hosts = vec![n.hosts[0].clone(); 1025], &["hosts: 1025 ", "at most 1024"]);
    refused(|n| n.own_addresses[0] = Ipv4Addr::UNSPECIFIED.into(), &["own address: 0.0.0.0"]);
    for key in
        ["kernel.hostname", "net", "net.", "net..ipv4", ".net.x", "net/../kernel/x", "net.a b", ""]
    {
        let mut network = usual();
        network.sysctls[0].key = key.into();
        let text = network.check().unwrap_err().to_string();
        assert!(text.contains(&format!("sysctl: \"{key}\"")), "{text}");
    }
    refused(|n| n.sysctls[0].value = "".into(), &["sysctl net.ipv4.ip_forward: \"\""]);
    refused(|n| n.sysctls[0].value = "1\n2".into(), &["\"1\\n2\"", "one line"]);
}

#[test]
fn a_setting_s_name_has_either_separator() {
    let parts = |key: &str| {
        let sysctl = Sysctl { key: key.into(), value: "1".into() };
        sysctl.parts().map(|part| String::from_utf8(part.to_vec()).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(parts("net.ipv4.ip_forward"), ["net", "ipv4", "ip_forward"]);
    assert_eq!(parts("net/ipv4/conf/eth0.1/tag"), ["net", "ipv4", "conf", "eth0.1", "tag"]);
    assert_eq!(parts("net"), ["net"]);
}

#[test]
fn routes_read_as_iproute2_writes_them() {
    let network = usual();
    let [v4, v6] = network.interfaces[0].routes[..] else { panic!() };
    assert_eq!(v4.to_string(), "0.0.0.0/0 via 172.17.0.1");
    let on_link = Route { onlink: true, metric: 7, ..v6 };
    assert_eq!(on_link.to_string(), "::/0 via fe80::1 onlink metric 7");
    assert_eq!(Route { gateway: None, ..v4 }.to_string(), "0.0.0.0/0");
}

/// The bits of an address, most significant first.
fn bits(ip: IpAddr) -> Vec<bool> {
    let bytes = match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1)).collect()
}

fn from_bits(bits: &[bool]) -> IpAddr {
    let bytes: Vec<u8> = bits
        .chunks(8)
        .map(|byte| byte.iter().fold(0, |sum, &bit| sum << 1 | u8::from(bit)))
        .collect();
    match <[u8; 4]>::try_from(&bytes[..]) {
        Ok(bytes) => IpAddr::from(bytes),
        Err(_) => IpAddr::from(<[u8; 16]>::try_from(&bytes[..]).unwrap()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// A destination is right exactly if its bits behind the prefix are zeros, counted one by one.
    #[test]
    fn a_destination_is_a_network(ip in any::<IpAddr>(), prefix in 0u8..=140, cut in any::<bool>()) {
        let mut all = bits(ip);
        if cut {
            let length = usize::from(prefix).min(all.len());
            all[length..].fill(false);
        }
        let destination = Cidr { ip: from_bits(&all), prefix };
        let right = all.get(usize::from(prefix)..).is_some_and(|rest| !rest.contains(&true));
        let mut network = usual();
        network.interfaces[0].routes = vec![Route { destination, gateway: None, onlink: false, metric: 0 }];
        prop_assert_eq!(network.check().is_ok(), right, "{}", destination);
    }

    /// Whatever comes: right, or an error of one short line.
    #[test]
    fn any_network_is_answered(network in network()) {
        if let Err(error) = network.check() {
            let text = error.to_string();
            prop_assert!(!text.contains(char::is_control) && text.len() < 2000, "{}", text);
        }
    }

    /// A setting that is right is a file below /proc/sys/net, whatever its name tries.
    #[test]
    fn a_setting_stays_below_net(key in "net[./]([a-c./_-]|\\PC){0,12}") {
        let mut network = usual();
        network.sysctls[0].key = key.as_str().into();
        if network.check().is_ok() {
            let parts: Vec<Vec<u8>> = network.sysctls[0].parts().map(<[u8]>::to_vec).collect();
            prop_assert_eq!(&parts[0], b"net");
            for part in &parts {
                prop_assert!(!part.is_empty() && !part.contains(&b'/') && part != b".." && part != b".");
            }
        }
    }
}
