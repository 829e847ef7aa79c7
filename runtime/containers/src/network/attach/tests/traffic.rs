//! A guest with a kernel of its own: a third namespace, whose card is a TAP with what the guest would be told.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use super::*;
use crate::network::testing::Wire;

/// More than any buffer on the way.
const LENGTH: usize = 4 << 20;

/// Gives `guest` the interface, as guest-init would.
fn plug(guest: &TestNet, attached: AttachedInterface) -> Wire {
    let Interface { name, mac, mtu, addresses, routes, .. } = attached.interface;
    let (card, index) = guest.inside(|| tap::create().unwrap());
    let links = guest.run("ip -o link");
    let start = format!("{index}: ");
    let card_name = links.lines().find_map(|line| line.strip_prefix(&start)).unwrap();
    let card_name = card_name.split(':').next().unwrap();
    guest.run(&format!("ip link set {card_name} name {name} address {mac} mtu {mtu} up"));
    for address in addresses {
        let more = if address.ip.is_ipv6() { " nodad" } else { "" };
        guest.run(&format!("ip address add {address} dev {name}{more}"));
    }
    for route in routes {
        guest.run(&format!("ip route add {route} dev {name}"));
    }
    Wire::between(attached.tap, card)
}

/// Sends a lot from `from` to `to`, which is at `address` there, and back.
fn talk(from: &TestNet, to: &TestNet, address: &str) {
    let address: SocketAddr = format!("{address}:80").parse().unwrap();
    let sent: Vec<u8> = (0..LENGTH).map(|number| ((number * 7) >> 3) as u8).collect();
    let listener = to.inside(|| TcpListener::bind(address).unwrap());
    let answer = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut received = vec![0; LENGTH];
        stream.read_exact(&mut received).unwrap();
        stream.write_all(&received).unwrap();
    });
    let mut stream = from.inside(|| TcpStream::connect(address).unwrap());
    stream.write_all(&sent).unwrap();
    let mut received = Vec::new();
    stream.read_to_end(&mut received).unwrap();
    answer.join().unwrap();
    assert!(received == sent, "{address}: other bytes came back");
}

#[test]
fn a_guest_is_on_the_network_by_ipv4_and_ipv6() {
    let test = "a_guest_is_on_the_network_by_ipv4_and_ipv6";
    let Some([outside, container, guest]) = TestNet::some(test) else { return };
    veth(&outside, &container);
    outside.run("ip link set lo up");
    outside.run("ip address add 192.0.2.1/32 dev lo");
    let records = tempfile::tempdir().unwrap();
    let attached = attach(&container.path(), records.path(), OWNER).unwrap();
    let _wires: Vec<Wire> =
        attached.interfaces.into_iter().map(|interface| plug(&guest, interface)).collect();
    talk(&guest, &outside, "10.0.0.1");
    talk(&outside, &guest, "10.0.0.2");
    talk(&guest, &outside, "[2001:db8::1]");
    talk(&outside, &guest, "[2001:db8::2]");
    // By the default route.
    talk(&guest, &outside, "192.0.2.1");
}

#[test]
fn two_interfaces_have_an_mtu_and_a_network_each() {
    let test = "two_interfaces_have_an_mtu_and_a_network_each";
    let Some([outside, container, guest]) = TestNet::some(test) else { return };
    veth(&outside, &container);
    let path = container.path().display().to_string();
    outside
        .run(&format!("ip link add peer1 mtu 9000 type veth peer name net1 mtu 9000 netns {path}"));
    outside.run("ip address add 10.1.0.1/24 dev peer1");
    outside.run("ip link set peer1 up");
    container.run("ip address add 10.1.0.2/24 dev net1");
    container.run("ip link set net1 up");
    container.run("ip link set eth0 mtu 1280");
    outside.run("ip link set peer0 mtu 1280");
    let records = tempfile::tempdir().unwrap();
    let attached = attach(&container.path(), records.path(), OWNER).unwrap();
    let told =
        |interface: &AttachedInterface| (interface.interface.name.clone(), interface.interface.mtu);
    let told: Vec<_> = attached.interfaces.iter().map(told).collect();
    assert_eq!(told, [("eth0".to_owned(), 1280), ("net1".to_owned(), 9000)]);
    let taps = container.run("ip -o link");
    for (tap, mtu) in [("bulkhead0", 1280), ("bulkhead1", 9000)] {
        assert!(
            taps.contains(&format!("{tap}: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu {mtu}")),
            "{taps}"
        );
    }
    let _wires: Vec<Wire> =
        attached.interfaces.into_iter().map(|interface| plug(&guest, interface)).collect();
    for (ours, theirs) in [("10.0.0.2", "10.0.0.1"), ("10.1.0.2", "10.1.0.1")] {
        talk(&guest, &outside, theirs);
        talk(&outside, &guest, ours);
    }
}
