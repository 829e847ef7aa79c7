//! ARP and Neighbor Discovery, and whose addresses a guest may use.

use super::frames::{MAC, OWN4, OWN6, ROUTER, Segment, ethernet, octets, packet};
use super::*;

pub fn arp(operation: u16, sender: &str, target: &str) -> Vec<u8> {
    let mut payload = vec![0, 1, 8, 0, 6, 4];
    payload.extend(operation.to_be_bytes());
    payload.extend(MAC);
    payload.extend(octets(address(sender)));
    payload.extend([0; 6]);
    payload.extend(octets(address(target)));
    ethernet(MAC, [0xff; 6], 0x0806, &payload)
}

/// What Linux makes of [`MAC`].
const LINK_LOCAL: &str = "fe80::ff:fe00:15";
const SOURCE_OPTION: [u8; 8] = [1, 1, 2, 0, 0, 0, 0, 0x15];
const TARGET_OPTION: [u8; 8] = [2, 1, 2, 0, 0, 0, 0, 0x15];
const NONCE: [u8; 8] = [14, 1, 1, 2, 3, 4, 5, 6];

fn neighbour(from: &str, to: &str, kind: u8, flags: u8, target: &str, options: &[u8]) -> Vec<u8> {
    let mut message = vec![kind, 0, 0, 0, flags, 0, 0, 0];
    if !target.is_empty() {
        message.extend(octets(address(target)));
    }
    message.extend(options);
    let mut frame = packet(address(from), address(to), 58, 255, &message);
    frame[6..12].copy_from_slice(&MAC);
    frame
}

#[test]
fn arp_asks_for_anybody_and_tells_of_the_guest_alone() {
    let mut filter = filter(&[]);
    for (operation, sender, target, passes) in [
        (1, OWN4, "10.0.2.2", true),
        (1, OWN4, "169.254.169.254", true),
        (1, OWN4, OWN4, true),
        (2, OWN4, "10.0.2.2", true),
        (1, "0.0.0.0", OWN4, true),
        (1, "0.0.0.0", "10.0.2.2", false),
        (2, "0.0.0.0", OWN4, false),
        (1, "10.0.2.2", "10.0.2.2", false),
        (2, "10.0.2.2", OWN4, false),
        (3, OWN4, "10.0.2.2", false),
        (8, OWN4, "10.0.2.2", false),
    ] {
        let passed = sent(&mut filter, &arp(operation, sender, target), 1).is_ok();
        assert_eq!(passed, passes, "{operation} {sender} {target}");
    }
    let good = arp(1, OWN4, "10.0.2.2");
    // The kind of network and address, their lengths, who sends the frame, and who says so in it.
    for place in [11, 15, 16, 17, 18, 19, 27] {
        let mut bad = good.clone();
        bad[place] ^= 1;
        assert_eq!(sent(&mut filter, &bad, 1), Err(Reason::Neighbour), "{place}");
    }
    let padded = [&good[..], &[0; 18]].concat();
    assert_eq!(sent(&mut filter, &padded, 1), Ok(()));
    for tail in [vec![1], vec![0; 19]] {
        assert_eq!(sent(&mut filter, &[&good[..], &tail].concat(), 1), Err(Reason::Neighbour));
    }
}

#[test]
fn neighbours_are_asked_for_anybody_and_told_of_the_guest_alone() {
    let mut filter = filter(&[]);
    let (asked, own) = ("ff02::1:ff00:2", "ff02::1:ff00:15");
    let both = [SOURCE_OPTION, NONCE].concat();
    for (from, to, kind, flags, target, options, passes) in [
        (OWN6, asked, 135, 0, "fd00::2", &SOURCE_OPTION[..], true),
        (LINK_LOCAL, asked, 135, 0, "fe80::2", &SOURCE_OPTION, true),
        (OWN6, asked, 135, 0, "fd00::2", &both, true),
        (OWN6, asked, 135, 0, "fd00::2", &[], true),
        // Is it still there?
        (OWN6, "fd00::2", 135, 0, "fd00::2", &SOURCE_OPTION, true),
        (LINK_LOCAL, "fe80::2", 135, 0, "fe80::2", &SOURCE_OPTION, true),
        // Has nobody this address?
        ("::", own, 135, 0, OWN6, &NONCE, true),
        ("::", own, 135, 0, LINK_LOCAL, &[], true),
        ("::", asked, 135, 0, "fd00::2", &[], false),
        ("::", own, 135, 0, OWN6, &SOURCE_OPTION, false),
        // Of others, in others' names, to others, with more than a question.
        ("fd00::9", asked, 135, 0, "fd00::2", &SOURCE_OPTION, false),
        ("fe80::9", asked, 135, 0, "fe80::2", &SOURCE_OPTION, false),
        (OWN6, own, 135, 0, "fd00::2", &SOURCE_OPTION, false),
        (OWN6, "ff02::1", 135, 0, "fd00::2", &SOURCE_OPTION, false),
        (OWN6, "fd00::3", 135, 0, "fd00::2", &SOURCE_OPTION, false),
        (OWN6, asked, 135, 0, "fd00::2", &[1, 1, 2, 0, 0, 0, 0, 0x16], false),
        (OWN6, asked, 135, 0, "fd00::2", &[5, 1, 0, 0, 0, 0, 5, 0xdc], false),
        (OWN6, asked, 135, 0, "fd00::2", &[1, 2, 2, 0, 0, 0, 0, 0x15], false),
        (OWN6, asked, 135, 0, "fd00::2", &[0; 7], false),
        // A router takes these to where anything may be written into the address.
        (OWN6, "2001:db8::5ec:4e7", 135, 0, "2001:db8::5ec:4e7", &SOURCE_OPTION, false),
        (OWN6, "2001:db8::5ec:4e7", 136, 0x60, OWN6, &TARGET_OPTION, false),
        (OWN6, "fd00::2", 136, 0x60, OWN6, &TARGET_OPTION, true),
        (LINK_LOCAL, "fe80::2", 136, 0x60, LINK_LOCAL, &TARGET_OPTION, true),
        (OWN6, "ff02::1", 136, 0x20, OWN6, &TARGET_OPTION, true),
        (OWN6, "fd00::2", 136, 0x40, OWN6, &[], true),
        (OWN6, "ff02::2", 136, 0x20, OWN6, &TARGET_OPTION, false),
        (OWN6, "ff02::1", 136, 0x20, "fd00::2", &TARGET_OPTION, false),
        (OWN6, "ff02::1", 136, 0xa0, OWN6, &TARGET_OPTION, false),
        ("fd00::2", "ff02::1", 136, 0x20, OWN6, &TARGET_OPTION, false),
        ("::", "ff02::1", 136, 0x20, OWN6, &[], false),
        (LINK_LOCAL, "ff02::2", 133, 0, "", &SOURCE_OPTION, true),
        ("::", "ff02::2", 133, 0, "", &[], true),
        ("::", "ff02::2", 133, 0, "", &SOURCE_OPTION, false),
        (LINK_LOCAL, "ff02::1", 133, 0, "", &SOURCE_OPTION, false),
        // What only routers say.
        (LINK_LOCAL, "ff02::1", 134, 0, "", &[0; 8], false),
        (OWN6, "ff02::1", 134, 0, "", &[0; 8], false),
        (OWN6, "fd00::2", 137, 0, "fd00::2", &[0; 16], false),
    ] {
        let frame = neighbour(from, to, kind, flags, target, options);
        let passed = sent(&mut filter, &frame, 1).is_ok();
        assert_eq!(passed, passes, "{from} {to} {kind} {flags:#x} {target} {options:?}");
        let mut routed = frame.clone();
        routed[21] = 254;
        assert!(sent(&mut filter, &routed, 1).is_err(), "{from} {to} {kind}");
        let mut coded = frame;
        coded[55] = 1;
        assert!(sent(&mut filter, &coded, 1).is_err(), "{from} {to} {kind}");
    }
}

#[test]
fn what_does_not_come_from_the_guest_does_not_pass() {
    let mut filter = filter(&["0.0.0.0/0", "::/0"]);
    for peer in ["8.8.8.8", "2001:db8::1"] {
        let mut segment = Segment::to(peer, 443, frames::SYN);
        let mut frame = segment.frame();
        assert_eq!(sent(&mut filter, &frame, 1), Ok(()));
        frame[6..12].copy_from_slice(&ROUTER);
        assert_eq!(sent(&mut filter, &frame, 1), Err(Reason::Source));
        segment.from.0 = address(if peer == "8.8.8.8" { "10.0.2.16" } else { "fd00::16" });
        let mut frame = segment.frame();
        frame[6..12].copy_from_slice(&MAC);
        assert_eq!(sent(&mut filter, &frame, 1), Err(Reason::Source));
    }
    // Its link-local address is for its neighbours.
    let mut segment = Segment::to("2001:db8::1", 443, frames::SYN);
    segment.from.0 = address(LINK_LOCAL);
    let mut frame = segment.frame();
    frame[6..12].copy_from_slice(&MAC);
    assert_eq!(sent(&mut filter, &frame, 1), Err(Reason::Source));
}

#[test]
fn pings_and_unreachables_take_a_rule_without_ports() {
    let mut filter = filter(&["10.9.0.0/16", "10.8.0.0/16:443", "10.7.0.0/16/tcp", "fd09::/16"]);
    for (to, kind, code, expected) in [
        ("10.9.0.1", 8, 0, Ok(())),
        ("10.9.0.1", 3, 3, Ok(())),
        ("10.9.0.1", 3, 4, Err(Reason::Protocol)),
        ("10.9.0.1", 0, 0, Err(Reason::Rule)),
        ("10.9.0.1", 5, 1, Err(Reason::Protocol)),
        ("10.9.0.1", 13, 0, Err(Reason::Protocol)),
        ("10.8.0.1", 8, 0, Err(Reason::Rule)),
        ("10.7.0.1", 8, 0, Err(Reason::Rule)),
        ("fd09::1", 128, 0, Ok(())),
        ("fd09::1", 1, 4, Ok(())),
        ("fd09::1", 2, 0, Err(Reason::Protocol)),
        ("fd08::1", 128, 0, Err(Reason::Rule)),
    ] {
        let from = if to.contains(':') { OWN6 } else { OWN4 };
        assert_eq!(
            sent(&mut filter, &frames::icmp(from, to, kind, code, 1), 1),
            expected,
            "{to} {kind}"
        );
    }
}
