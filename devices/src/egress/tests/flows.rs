//! Who may be answered, and what goes on.

use super::frames::{ACK, Datagram, OWN4, RESOLVER, SYN, Segment, host, icmp};
use super::*;

const CLIENT: &str = "198.51.100.4";

#[test]
fn who_came_in_is_answered_and_nobody_else() {
    let mut filter = filter(&[]);
    let answer = Segment::to(CLIENT, 5555, SYN | ACK);
    assert_eq!(sent(&mut filter, &answer.frame(), 1), Err(Reason::Rule));
    filter.incoming(&Segment::from(CLIENT, 5555, SYN).frame(), seconds(1));
    assert_eq!(sent(&mut filter, &answer.frame(), 1), Ok(()));
    assert_eq!(sent(&mut filter, &Segment::to(CLIENT, 5555, ACK).frame(), 1), Ok(()));
    // To begin something is no answer.
    assert_eq!(connects(&mut filter, CLIENT, 5555, 1), Err(Reason::Rule));
    assert_eq!(sent(&mut filter, &Segment::to(CLIENT, 5556, ACK).frame(), 1), Err(Reason::Rule));
    let mut other = answer;
    other.from.1 += 1;
    assert_eq!(sent(&mut filter, &other.frame(), 1), Err(Reason::Rule));
    let udp = Datagram::to(CLIENT, 5555, b"x");
    assert_eq!(sent(&mut filter, &udp.frame(), 1), Err(Reason::Rule));
    filter.incoming(&udp.back(b"y").frame(), seconds(1));
    assert_eq!(sent(&mut filter, &udp.frame(), 1), Ok(()));
}

#[test]
fn only_a_first_syn_comes_in() {
    for flags in [SYN | ACK, ACK, 0, 4] {
        let mut filter = filter(&[]);
        filter.incoming(&Segment::from(CLIENT, 5555, flags).frame(), seconds(1));
        assert_eq!(
            sent(&mut filter, &Segment::to(CLIENT, 5555, ACK).frame(), 1),
            Err(Reason::Rule)
        );
    }
    // To another guest, as a bridge floods it.
    let mut filter = filter(&[]);
    let mut syn = Segment::from(CLIENT, 5555, SYN);
    syn.to.0 = address("10.0.2.16");
    filter.incoming(&syn.frame(), seconds(1));
    assert_eq!((filter.incoming.len(), filter.outgoing.len()), (0, 0));
}

#[test]
fn a_ping_is_answered_once_it_came() {
    let mut filter = filter(&[]);
    let reply = icmp(OWN4, CLIENT, 0, 0, 77);
    assert_eq!(sent(&mut filter, &reply, 1), Err(Reason::Rule));
    filter.incoming(&icmp(CLIENT, OWN4, 8, 0, 77), seconds(1));
    assert_eq!(sent(&mut filter, &reply, 61), Ok(()));
    assert_eq!(sent(&mut filter, &reply, 62), Err(Reason::Rule));
    assert_eq!(sent(&mut filter, &icmp(OWN4, CLIENT, 0, 0, 78), 2), Err(Reason::Rule));
    assert_eq!(sent(&mut filter, &icmp(OWN4, CLIENT, 8, 0, 77), 2), Err(Reason::Rule));
}

/// A resolver sends datagrams from port 53: that is no way to get anything but questions to it.
#[test]
fn whatever_comes_from_a_resolver_lets_only_questions_back() {
    let mut filter = filter(&["example.org"]);
    let there = Datagram::to(RESOLVER, 53, b"not a question");
    filter.incoming(&there.back(b"x").frame(), seconds(1));
    filter.incoming(&Segment::from(RESOLVER, 53, SYN).frame(), seconds(1));
    assert_eq!(sent(&mut filter, &there.frame(), 1), Err(Reason::Question));
    let mut data = Segment::to(RESOLVER, 53, ACK);
    data.payload = b"not a question".to_vec();
    assert_eq!(sent(&mut filter, &data.frame(), 1), Err(Reason::Question));
}

#[test]
fn a_connection_outlives_the_name_as_long_as_the_peer_answers() {
    let mut filter = filter(&["example.org:443"]);
    resolve(&mut filter, "example.org", &[host(CLIENT, 60)], 0);
    assert_eq!(connects(&mut filter, CLIENT, 443, 0), Ok(()));
    filter.incoming(&Segment::from(CLIENT, 443, SYN | ACK).frame(), seconds(1));
    let ours = Segment::to(CLIENT, 443, ACK).frame();
    let theirs = Segment::from(CLIENT, 443, ACK).frame();
    let udp = Datagram::to(CLIENT, 443, b"x");
    assert_eq!(sent(&mut filter, &udp.frame(), 0), Ok(()));
    for minutes in 1..=300 {
        filter.incoming(&theirs, seconds(minutes * 60));
        filter.incoming(&udp.back(b"y").frame(), seconds(minutes * 60));
        assert_eq!(sent(&mut filter, &ours, minutes * 60), Ok(()));
        assert_eq!(sent(&mut filter, &udp.frame(), minutes * 60), Ok(()));
    }
    // A new one takes a new answer.
    assert_eq!(connects(&mut filter, CLIENT, 443, 18_000), Err(Reason::Rule));
    assert_eq!(sent(&mut filter, &udp.frame(), 18_300), Ok(()));
    assert_eq!(sent(&mut filter, &udp.frame(), 18_301), Err(Reason::Rule));
    assert_eq!(sent(&mut filter, &ours, 18_000 + 7_440), Ok(()));
    assert_eq!(sent(&mut filter, &ours, 18_000 + 7_441), Err(Reason::Rule));
}

/// What the guest says itself keeps no way open to a peer that is gone.
#[test]
fn a_silent_peer_is_forgotten_whatever_the_guest_says() {
    let mut filter = filter(&["example.org:443"]);
    resolve(&mut filter, "example.org", &[host(CLIENT, 60)], 0);
    assert_eq!(connects(&mut filter, CLIENT, 443, 0), Ok(()));
    let ours = Segment::to(CLIENT, 443, ACK).frame();
    for second in 0..=240 {
        assert_eq!(sent(&mut filter, &ours, second), Ok(()), "{second}");
    }
    assert_eq!(sent(&mut filter, &ours, 241), Err(Reason::Rule));
}

#[test]
fn a_flood_from_outside_does_not_end_what_the_guest_began() {
    let mut filter = filter(&["example.org:443"]);
    resolve(&mut filter, "example.org", &[host(CLIENT, 60)], 0);
    assert_eq!(connects(&mut filter, CLIENT, 443, 0), Ok(()));
    filter.incoming(&Segment::from(CLIENT, 443, SYN | ACK).frame(), seconds(1));
    for port in 1..=60_000 {
        filter.incoming(&Segment::from("198.51.100.5", port, SYN).frame(), seconds(100));
    }
    assert_eq!(filter.incoming.len(), crate::limits::FLOWS);
    assert_eq!(sent(&mut filter, &Segment::to(CLIENT, 443, ACK).frame(), 100), Ok(()));
    let last = Segment::to("198.51.100.5", 60_000, SYN | ACK).frame();
    assert_eq!(sent(&mut filter, &last, 100), Ok(()));
}
