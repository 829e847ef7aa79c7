//! What the driver knows of its link, and what ends it.

use std::time::Duration;

use super::*;
use crate::Registers;
use crate::virtio::rate::{Limit, RateLimits};

/// `InterruptStatus`: the configuration changed (virtio 1.2 §4.2.2).
const CONFIG_CHANGED: u32 = 2;

#[test]
fn the_driver_finds_what_the_configuration_says() {
    let link = Link { mac: Some([2, 3, 4, 5, 6, 7]), mtu: Some(65520), ..Link::default() };
    let peer = Peer::with_room(0);
    let mut guest = Guest::new(link, &peer, F_MAC | F_MTU | F_STATUS | F_MRG_RXBUF);
    assert_eq!(guest.register(0x08), 1);
    let mut config = [0xaa; 16];
    guest.mmio.read(0x100, &mut config);
    assert_eq!(config, [2, 3, 4, 5, 6, 7, 1, 0, 1, 0, 0xf0, 0xff, 0, 0, 0, 0]);
    let plain = Net::new(&Link::default(), peer.clone());
    assert_eq!(plain.features(), F_MRG_RXBUF | F_STATUS);
    assert_eq!(Net::new(&link, Peer::with_offloads(0)).features() & OFFLOADS, OFFLOADS);
}

/// Whatever the device does as its peer goes, the driver is told, once, and gets its buffers back.
#[test]
fn a_peer_that_goes_takes_the_link_down() {
    let leave: [fn(&mut Guest); 4] = [
        // It waits for packets of its peer's.
        |guest| guest.settle(),
        // It holds one for which there is no buffer.
        |guest| {
            guest.peer.world().to_guest.push_back(packet(0, 60));
            guest.settle();
        },
        // It sends.
        |guest| {
            guest.send(&packet(0, 60), &[]);
            guest.notify(TX);
        },
        // It waits until it may send.
        |guest| {
            guest.peer.world().gone = false;
            guest.send(&packet(0, 60), &[]);
            guest.notify(TX);
            guest.settle();
            guest.peer.world().gone = true;
            guest.settle();
        },
    ];
    for leave in leave {
        let peer = Peer::with_room(0);
        let mut guest = Guest::new(Link::default(), &peer, F_STATUS);
        assert!(guest.is_link_up());
        let generation = guest.register(0xfc);
        peer.world().gone = true;
        leave(&mut guest);
        guest.settle();
        assert!(!guest.is_link_up());
        assert_eq!(guest.register(0x60) & CONFIG_CHANGED, CONFIG_CHANGED);
        assert_eq!(guest.register(0xfc), generation + 1);
        assert_eq!(peer.world().waits, Waits::default());
        let edges = guest.irq.count();
        guest.send(&packet(0, 60), &[]);
        guest.send(&packet(0, 60), &[]);
        guest.notify(TX);
        assert_eq!(guest.unsent(), 0);
        assert!(guest.irq.count() <= edges + 1);
        // A new driver finds it as it is, and so does a snapshot.
        guest.set_up();
        assert!(!guest.is_link_up());
        guest.snapshot();
        assert!(!guest.is_link_up());
    }
}

#[test]
fn a_restored_driver_learns_that_its_link_is_another() {
    let peer = Peer::with_room(0);
    let mut guest = Guest::new(Link::default(), &peer, F_STATUS);
    peer.world().gone = true;
    guest.settle();
    assert!(!guest.is_link_up());
    peer.world().gone = false;
    guest.mmio.pause();
    guest.snapshot();
    assert!(guest.is_link_up());
    assert_eq!(guest.register(0x60) & CONFIG_CHANGED, CONFIG_CHANGED);
}

#[test]
fn a_reset_forgets_what_waited_and_stops_what_was_waited_for() {
    let peer = Peer::with_room(0);
    let mut guest = Guest::new(Link::default(), &peer, 0);
    peer.world().to_guest.extend([packet(0, 100), packet(1, 100)]);
    guest.send(&packet(2, 100), &[]);
    guest.notify(TX);
    guest.settle();
    guest.mmio.write(0x70, &0u32.to_le_bytes());
    guest.settle();
    assert_eq!(peer.world().waits, Waits::default());
    guest.set_up();
    while guest.offer(&[1000]) {}
    guest.notify(RX);
    guest.settle();
    assert_eq!(frames(guest.receive()), frames([packet(1, 100)]));
}

#[test]
fn a_driver_that_breaks_the_rules_is_not_waited_for() {
    let peer = Peer::with_room(0);
    let mut guest = Guest::new(Link::default(), &peer, 0);
    guest.offer(&[0]);
    peer.world().to_guest.push_back(packet(0, 100));
    guest.settle();
    assert_eq!(guest.register(0x70) & 64, 64, "it needs a reset");
    assert_eq!(peer.world().waits, Waits::default());
}

#[test]
fn limits_hold_both_ways() {
    let ops = Limit { size: 2, one_time_burst: 1, refill_time: Duration::from_millis(100) };
    let limits = RateLimits { bandwidth: None, ops: Some(ops) };
    let peer = Peer::with_room(1 << 20);
    let link = Link { rx: limits, tx: limits, ..Link::default() };
    let mut guest = Guest::new(link, &peer, 0);
    while guest.offer(&[1000]) {}
    guest.notify(RX);
    for number in 0..8 {
        guest.send(&packet(number, 100), &[]);
        peer.world().to_guest.push_back(packet(number, 100));
    }
    guest.notify(TX);
    guest.settle();
    for (millis, so_many) in [(0, 3), (49, 3), (50, 4), (99, 4), (100, 5), (1000, 7), (2000, 8)] {
        peer.world().now = Duration::from_millis(millis);
        guest.settle();
        let world = peer.world();
        let counts = (world.from_guest.len(), 8 - world.to_guest.len());
        assert_eq!(counts, (so_many, so_many), "after {millis} ms");
    }
}
