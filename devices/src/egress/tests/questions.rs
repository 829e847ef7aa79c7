//! What may go to a resolver's port 53.

use super::frames::{A, Datagram, RESOLVER, question, words};
use super::*;

fn asks(filter: &mut Filter, message: &[u8]) -> Result<(), Reason> {
    sent(filter, &Datagram::to_resolver(message).frame(), 1)
}

#[test]
fn questions_for_names_in_the_list_pass() {
    let mut filter = filter(&["example.org", "*.example.com:443"]);
    for (name, expected) in [
        ("example.org", Ok(())),
        ("EXAMPLE.org", Ok(())),
        ("a.example.com", Ok(())),
        ("a.b.example.com", Ok(())),
        ("example.com", Err(Reason::Name)),
        ("www.example.org", Err(Reason::Name)),
        ("badexample.com", Err(Reason::Name)),
        ("org", Err(Reason::Name)),
        ("", Err(Reason::Name)),
        ("7.113.0.203.in-addr.arpa", Err(Reason::Name)),
    ] {
        assert_eq!(asks(&mut filter, &question(1, name, A)), expected, "{name}");
    }
    // Every kind of record of an allowed name.
    for kind in [1, 5, 15, 16, 28, 33, 65, 255] {
        assert_eq!(asks(&mut filter, &question(1, "example.org", kind)), Ok(()));
    }
    // A dot within a label is no border between two.
    let mut dotted = words(&[1, 0x100, 1, 0, 0, 0]);
    dotted.extend(b"\x09a.example\x03com\x00\x00\x01\x00\x01");
    assert_eq!(asks(&mut filter, &dotted), Err(Reason::Name));
    assert_eq!(filter.report().names[0].name, "a\\046example.com");
}

#[test]
fn dns_lets_every_name_pass() {
    let mut filter = filter(&["dns"]);
    for name in ["", "example.org", "7.113.0.203.in-addr.arpa"] {
        assert_eq!(asks(&mut filter, &question(1, name, A)), Ok(()));
    }
}

#[test]
fn without_a_name_in_a_rule_there_is_nothing_to_ask() {
    let mut filter = filter(&["0.0.0.0/0"]);
    assert_eq!(asks(&mut filter, &question(1, "example.org", A)), Err(Reason::Resolver));
    assert_eq!(connects(&mut filter, RESOLVER, 53, 1), Err(Reason::Resolver));
    assert_eq!(connects(&mut filter, RESOLVER, 54, 1), Ok(()));
}

#[test]
fn what_is_not_one_plain_question_is_dropped() {
    let mut filter = filter(&["dns"]);
    let good = question(1, "example.org", A);
    let name = &good[12..25];
    let with = |header: [u16; 5], rest: &[u8]| [&words(&[1]), &words(&header), rest].concat();
    let once = &good[12..];
    let edns = [&[0][..], &words(&[41, 1232, 0, 0x8000, 0])].concat();
    assert_eq!(asks(&mut filter, &with([0x0130, 1, 0, 0, 1], &[once, &edns].concat())), Ok(()));
    for (what, message) in [
        ("nothing", vec![]),
        ("a header", good[..12].to_vec()),
        ("no question", with([0x100, 0, 0, 0, 0], &[])),
        ("two questions", with([0x100, 2, 0, 0, 0], &[once, once].concat())),
        ("bytes behind it", [&good[..], b"secret"].concat()),
        ("an answer", with([0x8100, 1, 0, 0, 0], once)),
        ("a status", with([0x1100, 1, 0, 0, 0], once)),
        ("an update", with([0x2800, 1, 0, 0, 0], once)),
        ("a response code", with([0x0105, 1, 0, 0, 0], once)),
        ("a reserved bit", with([0x0140, 1, 0, 0, 0], once)),
        ("records", with([0x100, 1, 1, 0, 0], &[once, &edns].concat())),
        ("authorities", with([0x100, 1, 0, 1, 0], &[once, &edns].concat())),
        ("two additions", with([0x100, 1, 0, 0, 2], &[once, &edns, &edns].concat())),
        (
            "a signature",
            with([0x100, 1, 0, 0, 1], &[once, &[0, 0, 250, 0, 255, 0, 0, 0, 0, 0, 0]].concat()),
        ),
        ("EDNS with a name", with([0x100, 1, 0, 0, 1], &[once, b"\x01a", &edns].concat())),
        ("EDNS cut short", with([0x100, 1, 0, 0, 1], &[once, &edns[..9]].concat())),
        ("EDNS and more", with([0x100, 1, 0, 0, 1], &[once, &edns, b"x"].concat())),
        ("another class", with([0x100, 1, 0, 0, 0], &[name, &words(&[16, 3])].concat())),
        ("a pointer", with([0x100, 1, 0, 0, 0], &[0xc0, 12, 0, 1, 0, 1])),
        ("a pointer at the end", with([0x100, 1, 0, 0, 0], b"\x01a\xc0\x0c\x00\x01\x00\x01")),
        ("a label of no kind", with([0x100, 1, 0, 0, 0], b"\x41a\x00\x00\x01\x00\x01")),
        ("a name too long", question(1, &"abcdefg.".repeat(32), A)),
        ("no end of the name", with([0x100, 1, 0, 0, 0], b"\x3fa")),
    ] {
        assert_eq!(asks(&mut filter, &message), Err(Reason::Question), "{what}");
    }
    // 255 bytes are the longest name.
    assert_eq!(
        asks(&mut filter, &question(1, &format!("{}abcde", "abcdefg.".repeat(31)), A)),
        Ok(())
    );
    let long = question(1, &format!("{}abcdef", "abcdefg.".repeat(31)), A);
    assert_eq!(asks(&mut filter, &long), Err(Reason::Question));
}

#[test]
fn every_end_of_a_question_but_the_last_is_dropped() {
    let mut filter = filter(&["dns"]);
    let good = question(1, "example.org", A);
    for end in 0..good.len() {
        assert_eq!(asks(&mut filter, &good[..end]), Err(Reason::Question), "{end}");
    }
}

#[test]
fn a_refusal_over_ipv6_is_right_too() {
    let mut filter = filter(&["example.org"]);
    let frame = Datagram::to("fd00::3", 53, &question(1, "other.example", A)).frame();
    let Verdict::Answer(answer) = filter.outgoing(&frame, Offload::default(), seconds(1)) else {
        panic!("not answered");
    };
    assert!(frames::has_right_sum(answer));
    assert_eq!((&answer[..6], &answer[6..12]), (&frame[6..12], &frame[..6]));
    assert_eq!((&answer[22..38], &answer[38..54]), (&frame[38..54], &frame[22..38]));
    assert_eq!((&answer[54..56], &answer[56..58]), (&frame[56..58], &frame[54..56]));
    assert_eq!(answer[65] & 15, 5);
}
