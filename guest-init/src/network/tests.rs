//! Against this machine's kernel, in a network namespace that has nothing in it but what the test makes.

use std::io;
use std::path::Path;
use std::process::Command;

use protocol::{Cidr, MacAddress, Neighbour, Route, Sysctl};

use super::*;
use crate::namespaces::in_own;

/// `ip` of iproute2; what it says.
fn ip(arguments: &str) -> String {
    let output = Command::new("ip").args(arguments.split(' ')).output().unwrap();
    assert!(output.status.success(), "ip {arguments}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Two devices as a VM has them, called as the kernel likes; the other end of each is `peer0`, `peer1`.
fn two_devices() {
    for (number, name) in ["eth0", "eth1"].into_iter().enumerate() {
        let mac = mac(number as u8);
        ip(&format!("link add {name} address {mac} type veth peer name peer{number}"));
        ip(&format!("link set peer{number} up"));
    }
}

fn mac(number: u8) -> MacAddress {
    MacAddress([2, 0, 0, 0, 0, number])
}

fn cidr(ip: &str, prefix: u8) -> Cidr {
    Cidr { ip: ip.parse().unwrap(), prefix }
}

fn via(ip: &str, prefix: u8, gateway: Option<&str>, onlink: bool, metric: u32) -> Route {
    let gateway = gateway.map(|gateway| gateway.parse().unwrap());
    Route { destination: cidr(ip, prefix), gateway, onlink, metric }
}

fn interface(name: &str, number: u8) -> Interface {
    let (addresses, routes, neighbours) = (Vec::new(), Vec::new(), Vec::new());
    Interface { name: name.to_owned(), mac: mac(number), mtu: 1500, addresses, routes, neighbours }
}

fn sysctl(key: &str, value: &str) -> Sysctl {
    Sysctl { key: key.into(), value: value.into() }
}

fn set_up_checked(network: &Network) -> Result<(), StartError> {
    network.check()?;
    set_up(network)
}

fn read(setting: &str) -> String {
    std::fs::read_to_string(Path::new("/proc/sys/net").join(setting)).unwrap().trim().to_owned()
}

/// Lines with these parts, in any order.
fn has(text: &str, parts: &[&str]) -> bool {
    text.lines().any(|line| parts.iter().all(|part| line.contains(part)))
}

#[test]
fn without_a_network_there_is_loopback() {
    in_own("network::tests::without_a_network_there_is_loopback", || {
        prepare();
        set_up_checked(&Network::default()).unwrap();
        let addresses = ip("-o address");
        assert!(has(&addresses, &["lo", "inet 127.0.0.1/8"]), "{addresses}");
        assert!(has(&addresses, &["lo", "inet6 ::1/128"]), "{addresses}");
        assert_eq!(addresses.lines().count(), 2, "{addresses}");
        assert_eq!(read("ipv4/ip_unprivileged_port_start"), "0");
        // Of a user namespace with one group, every group is that one or none.
        assert_ne!(read("ipv4/ping_group_range"), "1\t0");
        assert!(!sysctl::ipv6_is_off());
    });
}

#[test]
fn interfaces_get_all_that_the_host_said() {
    in_own("network::tests::interfaces_get_all_that_the_host_said", || {
        two_devices();
        let mut front = interface("eth0", 1);
        front.mtu = 9000;
        front.addresses = vec![cidr("10.1.0.2", 16), cidr("10.2.0.2", 31), cidr("2001:db8::2", 64)];
        front.routes = vec![
            // The gateways are on networks that come later, on the link by word only, and on an address's.
            via("0.0.0.0", 0, Some("10.9.0.1"), false, 0),
            via("::", 0, Some("fe80::1"), false, 50),
            via("192.0.2.0", 24, Some("198.51.100.1"), true, 7),
            via("2001:db8:2::", 48, Some("2001:db8:ff::1"), true, 0),
            via("10.9.0.0", 24, None, false, 0),
            // Those that are there with the address.
            via("10.1.0.0", 16, None, false, 0),
            via("2001:db8::", 64, None, false, 256),
        ];
        front.neighbours = [("10.9.0.1", 7), ("fe80::1", 8)]
            .map(|(ip, number)| Neighbour { ip: ip.parse().unwrap(), mac: mac(number) })
            .to_vec();
        let mut back = interface("back", 0);
        back.mtu = 1280;
        back.addresses = vec![cidr("172.17.0.2", 16)];
        // eth0 is another device's name now, and that one's is free.
        set_up_checked(&Network { interfaces: vec![front, back], ..Network::default() }).unwrap();

        let links = ip("-o link");
        assert!(has(&links, &["eth0@", "02:00:00:00:00:01", "mtu 9000", "UP"]), "{links}");
        assert!(has(&links, &["back@", "02:00:00:00:00:00", "mtu 1280", "UP"]), "{links}");
        let addresses = ip("-o address");
        assert!(has(&addresses, &["eth0", "inet 10.1.0.2/16 brd 10.1.255.255"]), "{addresses}");
        assert!(has(&addresses, &["eth0", "inet 10.2.0.2/31 scope"]), "{addresses}");
        // Nobody waits until it is known that nobody else has it.
        assert!(has(&addresses, &["eth0", "inet6 2001:db8::2/64", "nodad"]), "{addresses}");
        assert!(!ip("-o address show dev eth0").contains("tentative"), "{addresses}");
        assert!(has(&addresses, &["back", "inet 172.17.0.2/16"]), "{addresses}");
        // docker's: no IPv6 where the host gave no address.
        assert!(!has(&addresses, &["back", "inet6"]), "{addresses}");
        assert_eq!(read("ipv6/conf/eth0/accept_ra"), "0");

        let neighbours = ip("neighbour show nud permanent");
        for (ip, mac) in [("10.9.0.1", "02:00:00:00:00:07"), ("fe80::1", "02:00:00:00:00:08")] {
            let line = format!("{ip} dev eth0 lladdr {mac} PERMANENT");
            assert!(has(&neighbours, &[&line]), "{neighbours}");
        }

        let routes = ip("route");
        for parts in [
            &["default via 10.9.0.1 dev eth0"][..],
            &["192.0.2.0/24 via 198.51.100.1 dev eth0", "metric 7 onlink"],
            &["10.9.0.0/24 dev eth0", "scope link"],
            &["10.1.0.0/16 dev eth0", "src 10.1.0.2"],
            &["172.17.0.0/16 dev back"],
        ] {
            assert!(has(&routes, parts), "{routes}: {parts:?}");
        }
        let routes = ip("-6 route");
        assert!(has(&routes, &["default via fe80::1 dev eth0", "metric 50"]), "{routes}");
        assert!(
            has(&routes, &["2001:db8:2::/48 via 2001:db8:ff::1 dev eth0", "onlink"]),
            "{routes}"
        );
        assert_eq!(routes.matches("2001:db8::/64 dev eth0").count(), 1, "{routes}");
    });
}

#[test]
fn packets_go_over_both_families() {
    in_own("network::tests::packets_go_over_both_families", || {
        use std::net::{TcpListener, TcpStream, UdpSocket};

        prepare();
        two_devices();
        // Both ends are this machine's: without a look at the table of routes, only the address says which is meant.
        let mut one = interface("eth0", 0);
        one.addresses = vec![cidr("10.1.0.2", 24), cidr("2001:db8::2", 64)];
        set_up_checked(&Network { interfaces: vec![one], ..Network::default() }).unwrap();
        for address in ["10.1.0.2:0", "[2001:db8::2]:0"] {
            let listener = TcpListener::bind(address).unwrap();
            TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            listener.accept().unwrap();
            let socket = UdpSocket::bind(address).unwrap();
            socket.send_to(b"x", socket.local_addr().unwrap()).unwrap();
            assert_eq!(socket.recv(&mut [0; 2]).unwrap(), 1);
        }
        // Every user's, as in docker.
        TcpListener::bind("10.1.0.2:80").unwrap();
    });
}

#[test]
fn what_can_t_be_is_told_with_its_name() {
    in_own("network::tests::what_can_t_be_is_told_with_its_name", || {
        two_devices();
        // Each C library has words of its own for the numbers.
        let refused = |change: fn(&mut Interface), what: &str, why: Errno| {
            let mut interface = interface("eth0", 0);
            interface.addresses = vec![cidr("10.1.0.2", 24)];
            change(&mut interface);
            let interfaces = vec![interface];
            let error = set_up_checked(&Network { interfaces, ..Network::default() }).unwrap_err();
            assert_eq!(error.to_string(), format!("{what}: {}", io::Error::from(why)));
            ip("address flush dev eth0");
        };
        refused(
            |interface| interface.mac = mac(9),
            "interface eth0: find the device with the address 02:00:00:00:00:09",
            Errno::NODEV,
        );
        refused(
            |interface| interface.routes = vec![via("0.0.0.0", 0, Some("10.7.0.1"), false, 0)],
            "interface eth0: add the route 0.0.0.0/0 via 10.7.0.1",
            Errno::NETUNREACH,
        );
        refused(
            |interface| {
                interface.routes = vec![via("0.0.0.0", 0, Some("10.1.0.1"), false, 0); 2];
            },
            "interface eth0: add the route 0.0.0.0/0 via 10.1.0.1",
            Errno::EXIST,
        );
        // One that the kernel alone could refuse: two cards with one address.
        ip(&format!("link set eth1 address {}", mac(0)));
        refused(
            |_| {},
            "interface eth0: find the device with the address 02:00:00:00:00:00",
            Errno::NOTUNIQ,
        );
    });
}

#[test]
fn settings_are_made_or_refused_with_name_and_value() {
    in_own("network::tests::settings_are_made_or_refused_with_name_and_value", || {
        prepare();
        two_devices();
        let mut one = interface("eth0", 0);
        one.addresses = vec![cidr("2001:db8::2", 64)];
        let interfaces = vec![one];
        let sysctls = vec![
            sysctl("net.ipv4.ip_forward", "1"),
            sysctl("net.ipv4.ip_unprivileged_port_start", "1024"),
            sysctl("net/ipv4/ip_local_port_range", "2000 3000"),
            // There only once the interface is.
            sysctl("net.ipv6.conf.eth0.accept_ra", "2"),
            sysctl("net.ipv6.conf.all.disable_ipv6", "1"),
        ];
        set_up_checked(&Network { interfaces, sysctls, ..Network::default() }).unwrap();
        assert_eq!(read("ipv4/ip_forward"), "1");
        assert_eq!(read("ipv4/ip_unprivileged_port_start"), "1024");
        assert_eq!(read("ipv4/ip_local_port_range"), "2000\t3000");
        assert_eq!(read("ipv6/conf/eth0/accept_ra"), "2");
        assert_eq!(ip("-6 -o address"), "");
        assert!(sysctl::ipv6_is_off());

        let refused = |key: &str, value: &str| {
            let network = Network { sysctls: vec![sysctl(key, value)], ..Network::default() };
            set_up_checked(&network).unwrap_err().to_string()
        };
        assert_eq!(
            refused("net.ipv4.ip_forward", "yes"),
            "sysctl net.ipv4.ip_forward=yes: the guest's kernel takes no such value"
        );
        assert_eq!(
            refused("net.ipv4.nothing", "1"),
            "sysctl net.ipv4.nothing=1: the guest's kernel has no such setting"
        );
        let folder = refused("net.ipv4", "1");
        assert!(folder.starts_with("sysctl net.ipv4=1: Is a directory"), "{folder}");
    });
}
