//! What a filter lets through, and what it answers itself, with the device around it.

mod model;

use std::time::Duration;

use egress_rules::{Counters, Reason, Traffic};

use super::*;
use crate::egress::tests::frames::{self as wire, A, Datagram};
use crate::egress::tests::policy;
use crate::egress::{Filter, Offload, Verdict};
use crate::limits::ANSWERS;
use crate::virtio::rate::{Limit, RateLimits};

/// `VIRTIO_NET_HDR_F_NEEDS_CSUM`, and the two kinds of large segments (virtio 1.2 §5.1.6).
const NEEDS_CSUM: u8 = 1;
const GSO_TCPV4: u8 = 1;
const GSO_TCPV6: u8 = 4;

fn guest(rules: &[&str], peer: &Peer) -> Guest {
    Guest::behind(Some(policy(rules)), Link::default(), peer, F_MRG_RXBUF)
}

/// A frame behind a header without offloads.
fn plain(frame: &[u8]) -> Vec<u8> {
    [&[0; HEADER_LEN], frame].concat()
}

/// A frame that the host is to cut into segments of 1000 bytes, with a checksum in the place of TCP's behind a header of
/// this length.
fn large(kind: u8, ip_header: u16, frame: &[u8]) -> Vec<u8> {
    let mut header = vec![NEEDS_CSUM, kind, 54, 0];
    for number in [1000, 14 + ip_header, 16, 0_u16] {
        header.extend(number.to_le_bytes());
    }
    [&header, frame].concat()
}

fn send(guest: &mut Guest, frames: &[Vec<u8>]) {
    for frame in frames {
        assert!(guest.send(&plain(frame), &[]));
    }
    guest.notify(TX);
}

fn arrived(peer: &Peer) -> Vec<Vec<u8>> {
    frames(std::mem::take(&mut peer.world().from_guest))
}

fn received(guest: &mut Guest) -> Vec<Vec<u8>> {
    frames(std::iter::from_fn(|| guest.receive()))
}

fn question(id: u16, name: &str) -> Datagram {
    Datagram::to_resolver(&wire::question(id, name, A))
}

/// Whether a frame is the resolver's refusal (RFC 1035 §4.1.1, RCODE 5) of that question.
fn is_refusal(frame: &[u8], id: u16) -> bool {
    let message = &frame[42..];
    message[..2] == id.to_be_bytes() && message[2] & 0x80 != 0 && message[3] & 15 == 5
}

#[test]
fn what_a_rule_has_reaches_the_peer_and_nothing_else_does() {
    let peer = Peer::with_room(1 << 20);
    let mut guest = guest(&["10.9.0.0/16:443"], &peer);
    let (allowed, denied) = (wire::syn("10.9.0.1", 443), wire::syn("10.9.0.1", 80));
    send(&mut guest, &[denied.clone(), allowed.clone(), denied.clone()]);
    assert_eq!(arrived(&peer), std::slice::from_ref(&allowed));
    assert_eq!(guest.unsent(), 0);
    let net = guest.mmio.device();
    let tx = Traffic { bytes: allowed.len() as u64, packets: 1, dropped: 2 };
    assert_eq!(net.counters(), Counters { tx, rx: Traffic::default() });
    let report = net.backend().report().unwrap();
    assert_eq!((report.dropped, report.destinations.len()), (2, 1));
    let destination = &report.destinations[0];
    assert_eq!((destination.to_string().as_str(), destination.count), ("tcp 10.9.0.1:80", 2));
    assert_eq!(destination.reason, Reason::Rule);
}

#[test]
fn without_a_filter_everything_passes_and_nothing_is_reported() {
    let peer = Peer::with_room(1 << 20);
    let mut guest = Guest::new(Link::default(), &peer, 0);
    send(&mut guest, &[wire::syn("8.8.8.8", 80)]);
    assert_eq!(arrived(&peer).len(), 1);
    assert_eq!(guest.mmio.device().backend().report(), None);
}

/// What was judged must be what goes, and what comes.
#[test]
fn only_without_a_filter_frames_go_as_they_lie_in_the_guests_memory() {
    let long = vec![7; 5000];
    for (rules, lent) in [(None, long.len()), (Some(policy(&["10.9.0.0/16"])), 0)] {
        let peer = Peer::with_room(1 << 20);
        peer.world().reaches_guest_memory = true;
        let mut guest = Guest::behind(rules, Link::default(), &peer, F_MRG_RXBUF);
        send(&mut guest, &[long.clone(), vec![7; 500]]);
        assert_eq!(peer.world().lent, [lent, 0]);
        while guest.offer(&[1000]) {}
        guest.notify(RX);
        let packets = [plain(&long), plain(&long)];
        peer.world().to_guest.extend(packets.clone());
        guest.settle();
        assert_eq!(received(&mut guest), frames(packets));
        // Of the first one as much as goes into a buffer; of the second one all.
        let first = 1000 - HEADER_LEN;
        assert_eq!(peer.world().lent[1], if lent == 0 { 0 } else { first + long.len() });
    }
}

#[test]
fn a_refused_question_is_answered_in_the_same_turn() {
    let peer = Peer::with_room(0);
    let mut guest = guest(&["example.org"], &peer);
    guest.offer(&[2000]);
    guest.offer(&[2000]);
    guest.notify(RX);
    guest.irq.take();
    send(&mut guest, &[question(7, "evil.example").frame(), question(8, "evil.example").frame()]);
    assert!(guest.irq.count() >= 1, "the driver is told");
    let answers = received(&mut guest);
    assert_eq!(answers.len(), 2);
    assert!(is_refusal(&answers[0], 7) && is_refusal(&answers[1], 8));
    assert!(wire::has_right_sum(&answers[0]));
    assert_eq!(arrived(&peer), Vec::<Vec<u8>>::new());
    let counters = guest.mmio.device().counters();
    let bytes = answers.iter().map(Vec::len).sum::<usize>() as u64;
    assert_eq!(counters.rx, Traffic { bytes, packets: 2, dropped: 0 });
    assert_eq!(counters.tx, Traffic { bytes: 0, packets: 0, dropped: 2 });
}

#[test]
fn answers_wait_for_buffers_and_only_so_many_do() {
    let peer = Peer::with_room(0);
    let mut guest = guest(&["example.org"], &peer);
    let asked = 2 * ANSWERS as u16;
    for id in 0..asked {
        send(&mut guest, &[question(id, "evil.example").frame()]);
    }
    assert_eq!(guest.unsent(), 0, "nothing that the guest sends waits for what it does not take");
    peer.world().to_guest.push_back(packet(0, 60));
    guest.settle();
    let mut answers = Vec::new();
    while guest.offer(&[2000]) {
        guest.notify(RX);
        guest.settle();
        answers.extend(received(&mut guest));
        if answers.last().is_some_and(|frame| frame.len() == 60) {
            break;
        }
    }
    // One is already out of their queue, and waits where every packet does.
    assert_eq!(answers.len(), ANSWERS + 2);
    assert_eq!(answers.pop(), frames([packet(0, 60)]).pop());
    for (id, answer) in (0..).zip(&answers) {
        assert!(is_refusal(answer, id), "{id}");
    }
    let counters = guest.mmio.device().counters();
    assert_eq!(counters.tx.dropped, u64::from(asked));
}

#[test]
fn an_answer_waits_for_a_limit_as_every_packet_does() {
    let ops = Some(Limit { size: 1, one_time_burst: 0, refill_time: Duration::from_millis(100) });
    let link = Link { rx: RateLimits { bandwidth: None, ops }, ..Link::default() };
    let peer = Peer::with_room(0);
    let mut guest = Guest::behind(Some(policy(&["example.org"])), link, &peer, F_MRG_RXBUF);
    while guest.offer(&[2000]) {}
    send(&mut guest, &[question(1, "a.example").frame(), question(2, "b.example").frame()]);
    guest.settle();
    assert_eq!(received(&mut guest).len(), 1);
    peer.world().now = Duration::from_millis(100);
    guest.settle();
    assert_eq!(received(&mut guest).len(), 1);
}

#[test]
fn a_new_driver_gets_no_answer_to_what_another_one_asked() {
    let peer = Peer::with_room(0);
    let mut guest = guest(&["example.org"], &peer);
    for id in 0..3 {
        send(&mut guest, &[question(id, "evil.example").frame()]);
    }
    guest.set_up();
    while guest.offer(&[2000]) {}
    guest.notify(RX);
    guest.settle();
    assert_eq!(received(&mut guest), Vec::<Vec<u8>>::new());
}

#[test]
fn an_answer_admits_its_addresses_until_a_snapshot() {
    let peer = Peer::with_room(1 << 20);
    let mut guest = guest(&["example.org:443"], &peer);
    let resolve = |guest: &mut Guest| {
        let asked = question(1, "example.org");
        send(guest, &[asked.frame()]);
        let answer = wire::answer(&asked.payload, &[wire::host("93.184.216.34", 60)]);
        peer.world().to_guest.push_back(plain(&asked.back(&answer).frame()));
        guest.offer(&[2000]);
        guest.notify(RX);
        guest.settle();
        assert_eq!(received(guest).len(), 1);
        arrived(&peer);
    };
    let connect = wire::syn("93.184.216.34", 443);
    send(&mut guest, std::slice::from_ref(&connect));
    assert_eq!(arrived(&peer), Vec::<Vec<u8>>::new());
    resolve(&mut guest);
    send(&mut guest, &[connect.clone(), wire::syn("93.184.216.34", 80)]);
    assert_eq!(arrived(&peer), std::slice::from_ref(&connect));
    // It is another guest on the network, and has to ask again; its counters begin anew.
    guest.snapshot();
    assert_eq!(guest.mmio.device().counters(), Counters::default());
    send(&mut guest, std::slice::from_ref(&connect));
    assert_eq!(arrived(&peer), Vec::<Vec<u8>>::new());
    resolve(&mut guest);
    send(&mut guest, std::slice::from_ref(&connect));
    assert_eq!(arrived(&peer), std::slice::from_ref(&connect));
    peer.world().now = Duration::from_secs(61);
    send(&mut guest, std::slice::from_ref(&connect));
    assert_eq!(arrived(&peer), Vec::<Vec<u8>>::new());
}

#[test]
fn large_segments_are_judged_by_their_headers() {
    let peer = Peer::with_offloads(1 << 20);
    let rules = Some(policy(&["10.9.0.1:443", "fd00::9/tcp"]));
    let mut guest = Guest::behind(rules, Link::default(), &peer, OFFLOADS | F_MRG_RXBUF);
    let segment = |peer: &str, port| {
        let mut segment = wire::Segment::to(peer, port, wire::ACK);
        segment.payload = vec![7; 20_000];
        segment.frame()
    };
    let (v4, v6) = (segment("10.9.0.1", 443), segment("fd00::9", 443));
    for (packet, passes) in [
        (large(GSO_TCPV4, 20, &v4), true),
        (large(GSO_TCPV6, 40, &v6), true),
        (large(GSO_TCPV4, 20, &segment("10.9.0.1", 80)), false),
        (large(GSO_TCPV4, 20, &segment("10.9.0.2", 443)), false),
        // Of the other family.
        (large(GSO_TCPV6, 20, &v4), false),
        (large(GSO_TCPV4, 40, &v6), false),
        // A sum that would be written over an address, or somewhere behind it all.
        (large(GSO_TCPV4, 0, &v4), false),
        (large(GSO_TCPV4, 24, &v4), false),
        // UDP, and a kind that there is not.
        (large(3, 20, &v4), false),
        (large(0x7f, 20, &v4), false),
    ] {
        assert!(guest.send(&packet, &[]));
        guest.notify(TX);
        assert_eq!(arrived(&peer).len(), usize::from(passes), "{:?}", &packet[..HEADER_LEN]);
    }
}

#[test]
fn dropped_frames_count_for_limits_and_are_no_reason_to_wait() {
    let ops = Some(Limit { size: 2, one_time_burst: 0, refill_time: Duration::from_millis(100) });
    let link = Link { tx: RateLimits { bandwidth: None, ops }, ..Link::default() };
    let peer = Peer::with_room(0);
    let mut guest = Guest::behind(Some(policy(&[])), link, &peer, 0);
    send(
        &mut guest,
        &[wire::syn("8.8.8.8", 80), wire::syn("8.8.8.8", 80), wire::syn("8.8.8.8", 80)],
    );
    assert_eq!((guest.unsent(), peer.world().waits.writable), (1, false));
    peer.world().now = Duration::from_millis(100);
    guest.settle();
    assert_eq!(guest.unsent(), 0);
}
