//! Frames in are frames out: in order, and whole.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::virtio::rate::{Limit, RateLimits};

/// Longest frame of these tests: its packet fits the buffers of a full queue, of four pieces each.
const FRAME: usize = 3000;
const LEAST_BUFFER: u32 = (HEADER_LEN + FRAME) as u32 / 4 + 1;

/// The longest that the guest sends: more than is copied where it need not be.
const SENT: usize = 6000;

#[derive(Clone, Debug)]
enum Step {
    Send { frame: usize, pieces: Vec<u32>, kick: bool },
    Offer { pieces: Vec<u32>, kick: bool },
    Give { frame: usize },
    Room(usize),
    Wait(u64),
    Poll,
    Snapshot,
}

fn step() -> impl Strategy<Value = Step> {
    let pieces = || prop::collection::vec(0..2000u32, 0..4);
    prop_oneof![
        4 => (14..=SENT, pieces(), any::<bool>())
            .prop_map(|(frame, pieces, kick)| Step::Send { frame, pieces, kick }),
        4 => (pieces(), any::<bool>()).prop_map(|(pieces, kick)| Step::Offer { pieces, kick }),
        4 => (14..=FRAME).prop_map(|frame| Step::Give { frame }),
        2 => (0..5000usize).prop_map(Step::Room),
        1 => (0..200u64).prop_map(Step::Wait),
        4 => Just(Step::Poll),
        1 => Just(Step::Snapshot),
    ]
}

fn limits() -> impl Strategy<Value = RateLimits> {
    let limit = (1..5000u64, 0..3000u64, 1..100u64).prop_map(|(size, one_time_burst, millis)| {
        Limit { size, one_time_burst, refill_time: Duration::from_millis(millis) }
    });
    let limit = || prop::option::of(limit.clone());
    (limit(), limit()).prop_map(|(bandwidth, ops)| RateLimits { bandwidth, ops })
}

/// What should go each way.
#[derive(Default)]
struct Oracle {
    sent: Vec<Vec<u8>>,
    given: Vec<Vec<u8>>,
    got: Vec<Vec<u8>>,
    snapshots: usize,
}

impl Oracle {
    fn take(&mut self, guest: &mut Guest) {
        while let Some(packet) = guest.receive() {
            self.got.push(packet[HEADER_LEN..].to_vec());
        }
    }
}

proptest! {
    #[test]
    fn frames_arrive_in_order_and_whole(
        mergeable in any::<bool>(),
        reaches_guest_memory in any::<bool>(),
        rx in limits(),
        tx in limits(),
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let peer = Peer::with_room(4000);
        peer.world().reaches_guest_memory = reaches_guest_memory;
        let features = if mergeable { F_MRG_RXBUF } else { 0 };
        // A single buffer has to hold the longest packet, or the last piece of many.
        let last = if mergeable { LEAST_BUFFER } else { (HEADER_LEN + FRAME) as u32 };
        let mut guest = Guest::new(Link { rx, tx, ..Link::default() }, &peer, features);
        let mut oracle = Oracle::default();
        for step in steps {
            match step {
                Step::Send { frame, pieces, kick } => {
                    let packet = packet(oracle.sent.len(), frame);
                    if guest.send(&packet, &pieces) {
                        oracle.sent.push(packet[HEADER_LEN..].to_vec());
                    }
                    if kick {
                        guest.notify(TX);
                    }
                }
                Step::Offer { mut pieces, kick } => {
                    pieces.push(last);
                    guest.offer(&pieces);
                    if kick {
                        guest.notify(RX);
                    }
                }
                Step::Give { frame } => {
                    let packet = packet(oracle.given.len(), frame);
                    oracle.given.push(packet[HEADER_LEN..].to_vec());
                    peer.world().to_guest.push_back(packet);
                }
                Step::Room(room) => peer.world().room += room,
                Step::Wait(millis) => peer.world().now += Duration::from_millis(millis),
                Step::Poll => {
                    guest.poll();
                }
                Step::Snapshot => {
                    guest.snapshot();
                    oracle.snapshots += 1;
                }
            }
            oracle.take(&mut guest);
        }
        // A driver that wakes up, a peer that takes all, and time enough.
        guest.notify(RX);
        guest.notify(TX);
        peer.world().room = usize::MAX;
        for _ in 0..10_000 {
            while guest.offer(&[last]) {}
            guest.notify(RX);
            guest.settle();
            let before = oracle.got.len();
            oracle.take(&mut guest);
            let next = peer.world().waits.until;
            match next {
                Some(next) => peer.world().now = next,
                None if oracle.got.len() == before => break,
                None => {}
            }
        }
        prop_assert_eq!(guest.unsent(), 0);
        prop_assert_eq!(frames(std::mem::take(&mut peer.world().from_guest)), oracle.sent);
        // A snapshot loses the one packet that waited for buffers, and nothing else is lost.
        let mut given = oracle.given.iter();
        let mut lost = 0;
        for got in &oracle.got {
            lost += given.by_ref().take_while(|given| *given != got).count();
        }
        lost += given.count();
        prop_assert!(lost <= oracle.snapshots, "{lost} lost, {} snapshots", oracle.snapshots);
    }
}

/// Firecracker's CVE-2020-16843: with both sides full, nothing went any more.
#[test]
fn a_link_that_is_full_on_both_sides_goes_on() {
    let peer = Peer::with_room(0);
    let mut guest = Guest::new(Link::default(), &peer, F_MRG_RXBUF);
    for number in 0..20 {
        peer.world().to_guest.push_back(packet(number, 1500));
        guest.send(&packet(number, 1500), &[]);
        guest.notify(TX);
        guest.settle();
    }
    let waits = peer.world().waits;
    assert_eq!((waits.readable, waits.writable), (false, true), "it waits, and is not called");
    assert_eq!((guest.unsent(), peer.world().to_guest.len()), (16, 19));
    // Either side goes on without the other.
    while guest.offer(&[2000]) {}
    guest.notify(RX);
    guest.settle();
    let got: Vec<_> = std::iter::from_fn(|| guest.receive()).collect();
    assert_eq!((got.len(), guest.unsent()), (16, 16));
    peer.world().room = 1 << 20;
    guest.settle();
    assert_eq!((guest.unsent(), peer.world().from_guest.len()), (0, 16));
    while guest.offer(&[2000]) {}
    guest.notify(RX);
    guest.settle();
    assert_eq!(std::iter::from_fn(|| guest.receive()).count(), 4);
    assert!(peer.world().waits.readable);
}

#[test]
fn a_frame_that_fits_no_buffers_is_dropped_and_the_next_one_comes() {
    for (features, buffer) in [(0, 1000), (F_MRG_RXBUF, 100)] {
        let peer = Peer::with_room(0);
        let mut guest = Guest::new(Link::default(), &peer, features);
        while guest.offer(&[buffer]) {}
        guest.notify(RX);
        peer.world().to_guest.extend([packet(0, 3000), packet(1, 80)]);
        guest.settle();
        assert_eq!(guest.receive().map(|packet| packet.len()), Some(HEADER_LEN + 80));
    }
}

#[test]
fn the_longest_frames_pass_and_longer_ones_do_not() {
    let peer = Peer::with_room(1 << 30);
    let mut guest = Guest::new(Link::default(), &peer, F_MRG_RXBUF);
    for frame in [0, 13, MAX_FRAME + 1, MAX_FRAME + 2, MAX_FRAME + 1000] {
        guest.send(&packet(0, frame), &[]);
        peer.world().to_guest.push_back(packet(0, frame));
    }
    guest.send(&[0; 11], &[]);
    peer.world().to_guest.push_back(vec![0; 5]);
    guest.send(&packet(7, MAX_FRAME), &[7, 30_000]);
    peer.world().to_guest.push_back(packet(8, MAX_FRAME));
    while guest.offer(&[0x11000]) {}
    guest.notify(RX);
    guest.notify(TX);
    guest.settle();
    assert_eq!(guest.unsent(), 0);
    assert_eq!(frames(peer.world().from_guest.clone()), frames([packet(7, MAX_FRAME)]));
    assert_eq!(frames(guest.receive()), frames([packet(8, MAX_FRAME)]));
    assert_eq!(guest.receive(), None);
}

/// A peer whose frames are all dropped has its share of a turn, and no more.
#[test]
fn a_flood_that_nobody_takes_ends_with_the_turn() {
    let peer = Peer::with_room(0);
    let mut guest = Guest::new(Link::default(), &peer, 0);
    peer.world().to_guest.extend((0..5000).map(|_| vec![0; 3]));
    guest.mmio.with_device(|net, queues, mem| net.work(queues, mem));
    let left = peer.world().to_guest.len();
    assert!((4000..5000).contains(&left), "{left}");
    assert!(guest.mmio.has_backlog());
    guest.notify(RX);
    assert_eq!(peer.world().to_guest.len(), 0);
}
