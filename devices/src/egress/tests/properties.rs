//! The filter beside the model.

use egress_rules::Rule;
use proptest::prelude::*;

use super::frames::{A, ACK, Datagram, SYN, Segment, answer, host, icmp, question};
use super::model::{Event, Model, may_pass};
use super::*;

const RULES: [&str; 7] = [
    "10.9.0.0/16",
    "10.8.0.0/16:443",
    "10.7.0.7:8000-8099/udp",
    "0.0.0.0/1:1-1000/tcp",
    "fd09::/16",
    "[fd08::]/16:443/tcp",
    "[2001:db8::]/32:40-60",
];
const PEERS: [&str; 12] = [
    "10.9.1.2",
    "10.8.1.2",
    "10.7.0.7",
    "10.7.0.8",
    "169.254.169.254",
    "127.0.0.1",
    "200.1.1.1",
    "fd09::1",
    "fd08::1",
    "2001:db8::1",
    "fe80::1",
    "::ffff:169.254.1.1",
];
const PORTS: [u16; 7] = [53, 443, 80, 8_000, 8_100, 50, 1_000];

fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let peer = prop::sample::select(&PEERS[..]);
    let port = prop::sample::select(&PORTS[..]);
    (peer, port, 0..4_u8, any::<u8>(), 0..30_usize).prop_map(|(peer, port, kind, byte, length)| {
        let own = frames::own_for(address(peer)).to_string();
        match kind {
            0 => Segment { payload: vec![byte; length], ..Segment::to(peer, port, byte) }.frame(),
            1 => Datagram::to(peer, port, &vec![byte; length]).frame(),
            2 => {
                icmp(&own, peer, [8, 3, 128, 1, 0, 129, 5, 2][usize::from(byte % 8)], byte / 64, 1)
            }
            _ => icmp(&own, peer, byte, 0, 1),
        }
    })
}

/// What a hostile guest does to a frame: bytes changed, the end cut off, more behind it.
fn any_damage() -> impl Strategy<Value = (Vec<(prop::sample::Index, u8)>, Option<usize>, Vec<u8>)> {
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3);
    (changes, prop::option::weighted(0.2, 0..90_usize), prop::collection::vec(0..2_u8, 0..20))
}

fn any_event() -> impl Strategy<Value = Event> {
    let name = prop::sample::select(&["a.example", "x.b.example", "b.example", "c.example"][..]);
    let address = prop::sample::select(&["203.0.113.1", "203.0.113.2", "169.254.169.254"][..]);
    let peer = || {
        let address = prop::sample::select(&["203.0.113.1", "203.0.113.2", "169.254.169.254"][..]);
        (address, prop::sample::select(&[443_u16, 80][..]))
    };
    let flags = || prop::sample::select(&[None, Some(SYN), Some(SYN | ACK), Some(ACK)][..]);
    let good = prop::sample::select(&[0_u32, 60, 200, 3_000, 90_000][..]);
    let wait = prop::sample::select(&[1_u64, 29, 31, 60, 170, 241, 299, 3_599, 7_440][..]);
    prop_oneof![
        2 => (name.clone(), 0..2_u16).prop_map(|(name, id)| Event::Ask { name, id }),
        3 => (name, 0..2_u16, address, good)
            .prop_map(|(name, id, address, good)| Event::Answer { name, id, address, good }),
        3 => (peer(), flags()).prop_map(|(peer, flags)| Event::In { peer, flags }),
        5 => (peer(), flags()).prop_map(|(peer, flags)| Event::Out { peer, flags }),
        2 => wait.prop_map(Event::Wait),
    ]
}

/// The same for the filter.
fn takes(filter: &mut Filter, event: &Event, now: u64) -> bool {
    match *event {
        Event::Wait(_) => {}
        Event::Ask { name, id } => {
            return sent(filter, &Datagram::to_resolver(&question(id, name, A)).frame(), now)
                .is_ok();
        }
        Event::Answer { name, id, address, good } => {
            let question = question(id, name, A);
            let back =
                Datagram::to_resolver(&question).back(&answer(&question, &[host(address, good)]));
            filter.incoming(&back.frame(), seconds(now));
        }
        Event::In { peer: (address, port), flags } => {
            let frame = match flags {
                Some(flags) => Segment::from(address, port, flags).frame(),
                None => Datagram::to(address, port, b"x").back(b"y").frame(),
            };
            filter.incoming(&frame, seconds(now));
        }
        Event::Out { peer: (address, port), flags } => {
            let frame = match flags {
                Some(flags) => Segment::to(address, port, flags).frame(),
                None => Datagram::to(address, port, b"x").frame(),
            };
            return sent(filter, &frame, now).is_ok();
        }
    }
    true
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn rules_for_networks_are_what_the_model_says(
        rules in prop::sample::subsequence(&RULES[..], 0..=RULES.len()),
        frame in any_frame(),
        (changes, cut, tail) in any_damage(),
    ) {
        let parsed: Vec<Rule> = rules.iter().map(|rule| rule.parse().unwrap()).collect();
        let mut filter = filter(&rules);
        prop_assert_eq!(sent(&mut filter, &frame, 1).is_ok(), may_pass(&parsed, &frame), "whole");
        let mut damaged = frame;
        for (place, byte) in changes {
            let place = place.index(damaged.len());
            damaged[place] = byte;
        }
        damaged.truncate(cut.unwrap_or(usize::MAX));
        prop_assert_eq!(sent(&mut filter, &damaged, 1).is_ok(), may_pass(&parsed, &damaged), "changed");
        damaged.extend(tail);
        prop_assert_eq!(sent(&mut filter, &damaged, 1).is_ok(), may_pass(&parsed, &damaged), "with a tail");
    }

    #[test]
    fn names_and_flows_are_what_the_model_says(events in prop::collection::vec(any_event(), 0..60)) {
        let mut filter = filter(&["a.example:443", "*.b.example"]);
        let mut model = Model::default();
        for event in &events {
            let now = model.now;
            prop_assert_eq!(takes(&mut filter, event, now), model.takes(event), "{:?} at {} s", event, now);
        }
    }

    /// Whatever bytes they are, both ways.
    #[test]
    fn no_frame_is_too_much(
        frames in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..120)), 0..20),
    ) {
        let mut filter = filter(&["dns", "example.org", "0.0.0.0/0"]);
        for (outgoing, mut frame) in frames {
            if outgoing {
                prop_assert!(sent(&mut filter, &frame, 1).is_err());
            }
            if frame.len() >= 14 {
                frame[..12].copy_from_slice(&[frames::MAC, frames::MAC].concat());
                let _either = sent(&mut filter, &frame, 1);
            }
            filter.incoming(&frame, seconds(1));
        }
    }

    #[test]
    fn no_answer_is_too_much(message in prop::collection::vec(any::<u8>(), 0..200), start in 0..40_usize) {
        let mut filter = filter(&["example.org"]);
        let question = question(1, "example.org", A);
        let asked = Datagram::to_resolver(&question);
        prop_assert_eq!(sent(&mut filter, &asked.frame(), 1), Ok(()));
        let mut good = answer(&question, &[host("203.0.113.1", 300), host("203.0.113.2", 300)]);
        good.truncate(good.len().min(29 + start));
        good[7] = 9;
        good.extend(message);
        filter.incoming(&asked.back(&good).frame(), seconds(1));
        prop_assert!(filter.rules.admitted() <= 9);
    }
}
