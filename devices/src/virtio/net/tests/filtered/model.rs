//! The device around a filter, against that filter alone.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Send { which: usize, kick: bool },
    Offer { kick: bool },
    Resolve,
    Room(usize),
    Poll,
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..6_usize, any::<bool>()).prop_map(|(which, kick)| Step::Send { which, kick }),
        3 => any::<bool>().prop_map(|kick| Step::Offer { kick }),
        1 => Just(Step::Resolve),
        2 => (0..300_usize).prop_map(Step::Room),
        3 => Just(Step::Poll),
        1 => (0..90_u64).prop_map(Step::Wait),
    ]
}

proptest! {
    /// Whatever waits for what: the peer gets what a filter alone lets through, in order; the guest gets its answers and
    /// the peer's packets; and both sides' counts agree.
    #[test]
    fn the_device_adds_nothing_to_what_the_filter_says(steps in prop::collection::vec(step(), 1..80)) {
        let rules = ["10.9.0.0/16", "example.org:443"];
        let peer = Peer::with_room(500);
        let mut guest = guest(&rules, &peer);
        let asked = question(1, "example.org");
        let kinds = [
            wire::syn("10.9.0.1", 80),
            wire::syn("8.8.8.8", 80),
            asked.frame(),
            question(2, "evil.example").frame(),
            wire::icmp(wire::OWN4, "10.9.0.2", 8, 0, 5),
            vec![0; 10],
        ];
        let admitting = asked.back(&wire::answer(&asked.payload, &[wire::host("10.8.0.1", 60)])).frame();
        let (mut sent, mut short, mut given) = (0, 0, 0);
        let (mut got, mut passed) = (Vec::new(), Vec::new());
        for step in steps {
            match step {
                Step::Send { which, kick } => {
                    if guest.send(&plain(&kinds[which]), &[]) {
                        sent += 1;
                        // The device itself drops what is no frame.
                        short += u64::from(kinds[which].len() < 14);
                        let alone = &mut Filter::new(policy(&rules)).unwrap();
                        if alone.outgoing(&kinds[which], Offload::default(), Duration::ZERO) == Verdict::Pass {
                            passed.push(kinds[which].clone());
                        }
                    }
                    if kick {
                        guest.notify(TX);
                    }
                }
                Step::Offer { kick } => {
                    guest.offer(&[2000]);
                    if kick {
                        guest.notify(RX);
                    }
                }
                Step::Resolve => {
                    given += 1;
                    peer.world().to_guest.push_back(plain(&admitting));
                }
                Step::Room(room) => peer.world().room += room,
                Step::Poll => {
                    guest.poll();
                }
                Step::Wait(seconds) => peer.world().now += Duration::from_secs(seconds),
            }
            got.extend(received(&mut guest));
        }
        peer.world().room = usize::MAX;
        guest.notify(TX);
        loop {
            while guest.offer(&[2000]) {}
            guest.notify(RX);
            guest.settle();
            let more = received(&mut guest);
            if more.is_empty() {
                break;
            }
            got.extend(more);
        }
        let Counters { rx, tx } = guest.mmio.device().counters();
        let report = guest.mmio.device().backend().report().unwrap();
        let bytes = |frames: &[Vec<u8>]| frames.iter().map(Vec::len).sum::<usize>() as u64;
        prop_assert_eq!(tx.bytes, bytes(&passed));
        prop_assert_eq!(arrived(&peer), passed.clone());
        prop_assert_eq!(tx.packets, passed.len() as u64);
        prop_assert_eq!(tx.packets + tx.dropped, sent);
        prop_assert_eq!(tx.dropped, report.dropped + short);
        prop_assert_eq!((rx.bytes, rx.packets, rx.dropped), (bytes(&got), got.len() as u64, 0));
        let of_the_peer = got.iter().filter(|frame| **frame == admitting).count();
        prop_assert_eq!(of_the_peer, given);
        let refused = report.names.iter().map(|name| name.count).sum::<u64>();
        let answers = (got.len() - given) as u64;
        prop_assert!(answers == refused || answers >= ANSWERS as u64 && answers < refused);
    }
}
