use super::*;
use crate::testing::net::Peer;
use crate::virtio::net::{Link, Net, RX, TX};

/// A header and a frame; what tells it from others is its last byte.
fn packet(number: u8) -> Vec<u8> {
    let mut packet = vec![0; 12 + 20];
    packet[31] = number;
    packet
}

/// The packet that waits for a buffer is lost with the snapshot, and none of the guest's.
#[test]
fn net() {
    let link = Link { mac: Some([2, 0, 0, 0, 0, 1]), mtu: Some(1400), ..Link::default() };
    let device = || {
        let peer = Peer::with_offloads(64);
        peer.world().to_guest.push_back(packet(9));
        immediate(Net::new(&link, peer))
    };
    check(
        "net.json",
        include_str!("net.json"),
        device,
        |bench| {
            bench.notify(RX as u32);
            bench.set_data(0, &packet(1));
            bench.offer(TX, &[(DATA_AT, 32, false)]);
            bench.notify(TX as u32);
        },
        |bench| {
            bench.note_registers();
            bench.note_progress();
            bench.offer(RX, &[(DATA_AT + 0x100, 20, true), (DATA_AT + 0x20, 32, true)]);
            bench.notify(RX as u32);
            bench.offer(TX, &[(DATA_AT, 32, false)]);
            bench.notify(TX as u32);
        },
    );
}
