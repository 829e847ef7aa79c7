//! What a guest is told.

use protocol::{Cidr, MacAddress, Neighbour, Route};

use super::*;

fn cidr(text: &str) -> Cidr {
    let (ip, prefix) = text.split_once('/').unwrap();
    Cidr { ip: ip.parse().unwrap(), prefix: prefix.parse().unwrap() }
}

fn via(to: &str, gateway: Option<&str>, onlink: bool, metric: u32) -> Route {
    let gateway = gateway.map(|gateway| gateway.parse().unwrap());
    Route { destination: cidr(to), gateway, onlink, metric }
}

#[test]
fn a_guest_is_told_what_the_interface_has() {
    let Some([outside, container]) = TestNet::some("a_guest_is_told_what_the_interface_has") else {
        return;
    };
    veth(&outside, &container);
    container.run("ip link set eth0 down");
    container.run("ip link set eth0 address 02:00:00:00:00:2a mtu 4000 up");
    for line in [
        "ip address flush dev eth0",
        "ip address add 10.0.0.2/24 dev eth0",
        // What CNI plugins and clouds have: a lone address, a peer, and a network without its route.
        "ip address add 169.254.7.7/32 dev eth0",
        "ip address add 10.5.0.1 peer 10.6.0.0/16 dev eth0",
        "ip address add 10.7.0.1/16 dev eth0 noprefixroute",
        "ip address add 2001:db8::2/64 dev eth0 nodad",
        "ip address add fe80::7/64 dev eth0 nodad",
        "ip route add 169.254.1.1 dev eth0 scope link",
        "ip route add default via 169.254.1.1 dev eth0",
        "ip route add 192.0.2.0/24 via 198.51.100.1 dev eth0 onlink metric 7",
        "ip -6 route add default via fe80::1 dev eth0",
        "ip neighbour add 169.254.1.1 lladdr 02:00:00:00:00:01 dev eth0 nud permanent",
        "ip neighbour add 2001:db8::1 lladdr 02:00:00:00:00:02 dev eth0 nud permanent",
        // What is no guest's: another table, another way, what is down or has no address.
        "ip route add 203.0.113.0/24 via 10.0.0.1 table 100",
        "ip route add unreachable 203.0.113.0/24",
        "ip link add unused0 type veth peer name unused1",
        "ip link add fallback0 type bridge",
    ] {
        container.run(line);
    }
    let records = tempfile::tempdir().unwrap();
    let attached = attach(&container.path(), records.path(), OWNER).unwrap();
    let [AttachedInterface { interface, .. }] = &attached.interfaces[..] else {
        panic!("{:?}", attached.interfaces)
    };
    assert_eq!(interface.name, "eth0");
    assert_eq!(interface.mac, MacAddress([2, 0, 0, 0, 0, 42]));
    assert_eq!(interface.mtu, 4000);
    let expected = [
        "10.0.0.2/24",
        "169.254.7.7/32",
        "10.5.0.1/32",
        "10.7.0.1/32",
        "2001:db8::2/64",
        "fe80::7/64",
    ];
    let mut addresses = interface.addresses.clone();
    assert_eq!(addresses[0], cidr("10.0.0.2/24"));
    addresses.sort_by_key(|address| expected.iter().position(|one| cidr(one) == *address));
    assert_eq!(addresses, expected.map(cidr));
    let expected = [
        via("0.0.0.0/0", Some("169.254.1.1"), false, 0),
        via("10.6.0.0/16", None, false, 0),
        via("169.254.1.1/32", None, false, 0),
        via("192.0.2.0/24", Some("198.51.100.1"), true, 7),
        via("::/0", Some("fe80::1"), false, 1024),
    ];
    assert_eq!(interface.routes, expected);
    let mut neighbours = interface.neighbours.clone();
    neighbours.sort_by_key(|neighbour| neighbour.mac.0);
    let expected = [("169.254.1.1", 1), ("2001:db8::1", 2)].map(|(ip, last)| Neighbour {
        ip: ip.parse().unwrap(),
        mac: MacAddress([2, 0, 0, 0, 0, last]),
    });
    assert_eq!(neighbours, expected);
}

/// Each needs a module of its own, which are no matter of what is tested here: `line` makes `net0`, if it can.
fn is_connected(test: &str, line: &str) {
    let Some([outside, container]) = TestNet::some(test) else { return };
    outside.run("ip link add card0 type veth peer name card1");
    outside.run("ip link set card0 up");
    if let Err(why) = outside.try_run(line) {
        return println!("SKIPPED: {test}: {line}: {why}");
    }
    let path = container.path().display().to_string();
    outside.run(&format!("ip link set net0 netns {path}"));
    container.run("ip address add 10.0.0.2/24 dev net0");
    container.run("ip link set net0 up");
    let records = tempfile::tempdir().unwrap();
    let attached = attach(&container.path(), records.path(), OWNER).unwrap();
    assert_eq!(attached.interfaces.len(), 1);
    assert_eq!(attached.interfaces[0].interface.name, "net0");
    assert_eq!(container.run("tc qdisc show").matches("qdisc ingress").count(), 2);
}

#[test]
fn a_macvlan_is_connected_as_well() {
    let line = "ip link add link card0 name net0 type macvlan mode bridge";
    is_connected("a_macvlan_is_connected_as_well", line);
}

#[test]
fn a_vlan_is_connected_as_well() {
    is_connected("a_vlan_is_connected_as_well", "ip link add link card0 name net0 type vlan id 5");
}

#[test]
fn an_ipvlan_is_connected_as_well() {
    let line = "ip link add link card0 name net0 type ipvlan mode l2";
    is_connected("an_ipvlan_is_connected_as_well", line);
}
