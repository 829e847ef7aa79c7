//! What others' filters let through, one by one, and what none can do.

use super::frames::{self, Datagram, RESOLVER, SYN, Segment, alias, answer, host, question};
use super::*;

/// microsandbox #675: a lookup tells its name to whoever owns it.
#[test]
fn a_question_for_another_name_is_refused_and_goes_nowhere() {
    let mut filter = filter(&["example.org:443"]);
    let question = question(0x1234, "stolen-secret.evil.example", frames::A);
    let frame = Datagram::to_resolver(&question).frame();
    let Verdict::Answer(answer) = filter.outgoing(&frame, Offload::default(), seconds(1)) else {
        panic!("not answered");
    };
    // The flags say: an answer, recursion desired and available, REFUSED.
    let mut message = frames::words(&[0x1234, 0x8185, 1, 0, 0, 0]);
    message.extend(&question[12..]);
    let mut expected = Datagram::to_resolver(&question).back(&message).frame();
    let answer = answer.to_vec();
    assert!(frames::sums_up(&answer[14..34]) && frames::has_right_sum(&answer));
    expected[18..20].copy_from_slice(&answer[18..20]);
    expected[24..26].copy_from_slice(&answer[24..26]);
    expected[40..42].copy_from_slice(&answer[40..42]);
    assert_eq!(answer, expected);
    assert_eq!(filter.report().names[0].name, "stolen-secret.evil.example");
}

/// The same with a rule for a network, in which there is somebody who answers questions.
#[test]
fn a_network_rule_opens_no_other_resolver() {
    let mut filter = filter(&["0.0.0.0/0", "dns"]);
    let question = question(1, "example.org", frames::A);
    assert_eq!(
        sent(&mut filter, &Datagram::to("8.8.8.8", 53, &question).frame(), 1),
        Err(Reason::Resolver)
    );
    assert_eq!(connects(&mut filter, "8.8.8.8", 53, 1), Err(Reason::Resolver));
    assert_eq!(connects(&mut filter, "8.8.8.8", 853, 1), Ok(()));
}

/// microsandbox #603 to #605: rules with names were never true, for only the address was known.
#[test]
fn a_name_opens_the_addresses_in_its_answer() {
    let mut filter = filter(&["pypi.org:443", "*.pythonhosted.org:443"]);
    assert_eq!(connects(&mut filter, "93.184.215.14", 443, 1), Err(Reason::Rule));
    resolve(&mut filter, "PyPI.org", &[host("93.184.215.14", 300), host("2001:db8::14", 300)], 1);
    resolve(&mut filter, "files.pythonhosted.org", &[host("93.184.215.15", 300)], 1);
    for peer in ["93.184.215.14", "2001:db8::14", "93.184.215.15"] {
        assert_eq!(connects(&mut filter, peer, 443, 2), Ok(()), "{peer}");
        assert_eq!(connects(&mut filter, peer, 80, 2), Err(Reason::Rule), "{peer}");
    }
}

/// microsandbox #633: what this filter can't do, and says so. Two names of one address are one address.
#[test]
fn whoever_shares_an_address_with_an_allowed_name_is_let_through_as_well() {
    let mut filter = filter(&["allowed.example:443"]);
    resolve(&mut filter, "allowed.example", &[host("203.0.113.7", 300)], 1);
    let mut hello = Segment::to("203.0.113.7", 443, frames::ACK);
    hello.payload = b"a ClientHello for sibling.example".to_vec();
    assert_eq!(connects(&mut filter, "203.0.113.7", 443, 1), Ok(()));
    assert_eq!(sent(&mut filter, &hello.frame(), 1), Ok(()));
}

/// microsandbox #1361: with a rule for a name a connection to anywhere was let through until it had said what it
/// wanted.
#[test]
fn no_verdict_waits_for_the_payload() {
    let mut filter = filter(&["registry.example:443"]);
    for peer in ["8.8.8.8", "9.9.9.9", "2001:db8::1"] {
        assert_eq!(connects(&mut filter, peer, 443, 1), Err(Reason::Rule));
        let mut hello = Segment::to(peer, 443, frames::ACK);
        hello.payload = b"a ClientHello for registry.example".to_vec();
        assert_eq!(sent(&mut filter, &hello.frame(), 1), Err(Reason::Rule));
    }
    resolve(&mut filter, "registry.example", &[host("203.0.113.7", 300)], 1);
    assert_eq!(connects(&mut filter, "8.8.8.8", 443, 1), Err(Reason::Rule));
}

/// smolvm #450: who got an answer that was too long for UDP could not ask by TCP.
#[test]
fn questions_over_tcp_are_asked_and_their_answers_count() {
    let mut filter = filter(&["example.org:443"]);
    let question = question(9, "example.org", frames::A);
    streams::open(&mut filter, 1);
    assert_eq!(streams::ask(&mut filter, &question, 1001, 1), Ok(()));
    streams::reply(&mut filter, &answer(&question, &[host("203.0.113.9", 60)]), 5001, 1);
    assert_eq!(connects(&mut filter, "203.0.113.9", 443, 2), Ok(()));
}

/// DNS rebinding: an allowed name that leads to where clouds keep their credentials, in all spellings.
#[test]
fn no_name_leads_below_the_floor() {
    for lifted in [false, true] {
        let mut policy = policy(&["evil.example"]);
        policy.link_local = lifted;
        let mut filter = Filter::new(policy).unwrap();
        let places = [
            "169.254.169.254",
            "fe80::1",
            "::ffff:169.254.169.254",
            "64:ff9b::169.254.169.254",
            "2002:a9fe:a9fe::1",
            "127.0.0.1",
            "0.0.0.0",
            "::1",
            "255.255.255.255",
            "224.0.0.1",
            "ff02::1",
        ];
        let records: Vec<_> = places.iter().map(|place| host(place, 300)).collect();
        resolve(&mut filter, "evil.example", &records, 1);
        for place in places {
            assert!(connects(&mut filter, place, 80, 1).is_err(), "{place}");
        }
        assert_eq!(filter.rules.admitted(), 0);
    }
}

/// The same by an alias.
#[test]
fn no_alias_leads_below_the_floor() {
    let mut filter = filter(&["evil.example"]);
    let records = [
        alias(frames::ASKED.to_vec(), "metadata.internal", 300),
        frames::host_of(frames::name("metadata.internal"), "169.254.169.254", 300),
    ];
    resolve(&mut filter, "evil.example", &records, 1);
    assert_eq!(connects(&mut filter, "169.254.169.254", 80, 1), Err(Reason::LinkLocal));
}

#[test]
fn only_its_own_flag_lifts_the_floor() {
    let all = ["0.0.0.0/0", "::/0"];
    let mut floor = filter(&all);
    let mut lifted = policy(&all);
    lifted.link_local = true;
    let mut lifted = Filter::new(lifted).unwrap();
    for peer in ["169.254.169.254", "fe80::1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe"] {
        assert_eq!(connects(&mut floor, peer, 80, 1), Err(Reason::LinkLocal), "{peer}");
        assert_eq!(connects(&mut lifted, peer, 80, 1), Ok(()), "{peer}");
        // Not even if it came in first.
        floor.incoming(&Segment::from(peer, 80, SYN).frame(), seconds(1));
        let answer = Segment::to(peer, 80, SYN | frames::ACK);
        assert_eq!(sent(&mut floor, &answer.frame(), 1), Err(Reason::LinkLocal), "{peer}");
    }
    for peer in ["127.0.0.1", "0.0.0.0", "::1", "::ffff:127.0.0.1"] {
        assert_eq!(connects(&mut lifted, peer, 80, 1), Err(Reason::Unroutable), "{peer}");
    }
}

/// A resolver may be link-local (Kubernetes' cache, GCP's metadata server): questions alone go there.
#[test]
fn a_link_local_resolver_gets_questions_and_nothing_else() {
    let mut policy = policy(&["example.org", "0.0.0.0/0"]);
    policy.resolvers = vec![address("169.254.169.254")];
    let mut filter = Filter::new(policy).unwrap();
    let question = question(1, "example.org", frames::A);
    let to = |port, payload: &[u8]| Datagram::to("169.254.169.254", port, payload).frame();
    assert_eq!(sent(&mut filter, &to(53, &question), 1), Ok(()));
    assert_eq!(sent(&mut filter, &to(53, b"GET / HTTP/1.1"), 1), Err(Reason::Question));
    assert_eq!(connects(&mut filter, "169.254.169.254", 80, 1), Err(Reason::LinkLocal));
    assert_eq!(
        sent(&mut filter, &Datagram::to(RESOLVER, 53, &question).frame(), 1),
        Err(Reason::Resolver)
    );
}

/// The host's kernel writes a checksum where it is told (`skb_checksum_help`): into the address, after the look at it.
#[test]
fn an_offloaded_checksum_can_not_move_the_destination() {
    let mut filter = filter(&["10.9.0.0/16", "dns"]);
    let syn = frames::syn("10.9.0.1", 443);
    let mut given = |frame: &[u8], checksum, segments| {
        filter.outgoing(frame, Offload { checksum, segments }, seconds(1)) == Verdict::Pass
    };
    assert!(given(&syn, Some((34, 16)), Segments::TcpV4));
    assert!(given(&syn, Some((34, 16)), Segments::None));
    for place in [(14, 16), (14, 18), (34, 6), (30, 0), (0, 0), (u16::MAX, u16::MAX)] {
        assert!(!given(&syn, Some(place), Segments::None), "{place:?}");
    }
    for segments in [Segments::TcpV6, Segments::Udp] {
        assert!(!given(&syn, Some((34, 16)), segments), "{segments:?}");
    }
    let udp = Datagram::to("10.9.0.1", 443, &[0; 9]).frame();
    assert!(given(&udp, Some((34, 6)), Segments::Udp));
    assert!(!given(&udp, Some((34, 16)), Segments::Udp));
    // Cut into two, the second of a question's datagrams would be another question.
    let question = Datagram::to_resolver(&question(1, "example.org", frames::A)).frame();
    assert!(given(&question, Some((34, 6)), Segments::None));
    assert!(!given(&question, Some((34, 6)), Segments::Udp));
    assert!(!given(&link::arp(1, OWN4, "10.0.2.2"), Some((34, 6)), Segments::None));
}
