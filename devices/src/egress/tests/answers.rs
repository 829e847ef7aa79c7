//! Which answers of a resolver let which addresses through, and for how long.

use super::frames::{A, AAAA, ASKED, Datagram, alias, answer, host, host_of, name, question};
use super::*;

const PEER: &str = "203.0.113.7";

fn asked(filter: &mut Filter, message: &[u8]) -> Datagram {
    let datagram = Datagram::to_resolver(message);
    assert_eq!(sent(filter, &datagram.frame(), 1), Ok(()));
    datagram
}

#[test]
fn an_address_is_good_for_as_long_as_the_answer_says_within_bounds() {
    for (seconds, good) in [(0, 60), (59, 60), (60, 60), (61, 61), (3_600, 3_600), (3_601, 3_600)]
        .into_iter()
        .chain([(0x7fff_ffff, 3_600), (0x8000_0000, 60), (u32::MAX, 60)])
    {
        let mut filter = filter(&["example.org"]);
        resolve(&mut filter, "example.org", &[host(PEER, seconds)], 1_000);
        assert_eq!(connects(&mut filter, PEER, 443, 1_000 + good), Ok(()), "{seconds}");
        assert_eq!(connects(&mut filter, PEER, 443, 1_001 + good), Err(Reason::Rule), "{seconds}");
    }
}

#[test]
fn a_shorter_promise_does_not_take_back_a_longer_one() {
    let mut filter = filter(&["example.org"]);
    resolve(&mut filter, "example.org", &[host(PEER, 3_000)], 0);
    resolve(&mut filter, "example.org", &[host(PEER, 60)], 100);
    assert_eq!(connects(&mut filter, PEER, 443, 3_000), Ok(()));
}

#[test]
fn aliases_are_followed_within_an_answer_in_any_order() {
    let records = [
        host_of(name("c.cdn.example"), PEER, 600),
        alias(name("b.cdn.example"), "c.cdn.example", 90),
        alias(ASKED.to_vec(), "b.cdn.example", 600),
        host_of(name("other.example"), "203.0.113.8", 600),
    ];
    let mut filter = filter(&["example.org"]);
    resolve(&mut filter, "example.org", &records, 0);
    // No longer than the alias is good for.
    assert_eq!(connects(&mut filter, PEER, 443, 90), Ok(()));
    assert_eq!(connects(&mut filter, PEER, 443, 91), Err(Reason::Rule));
    assert_eq!(connects(&mut filter, "203.0.113.8", 443, 1), Err(Reason::Rule));
}

#[test]
fn aliases_without_an_end_lead_nowhere() {
    let mut filter = filter(&["example.org"]);
    let ring = [
        alias(ASKED.to_vec(), "b.example", 600),
        alias(name("b.example"), "example.org", 600),
        host_of(name("b.example"), PEER, 600),
    ];
    resolve(&mut filter, "example.org", &ring, 0);
    // One label longer each time: more of them than are followed.
    let place = |index: usize| format!("{}.example", "a".repeat(index + 1));
    let mut chain: Vec<_> =
        (0..20).map(|index| alias(name(&place(index)), &place(index + 1), 600)).collect();
    chain.push(alias(ASKED.to_vec(), &place(0), 600));
    chain.push(host_of(name(&place(20)), PEER, 600));
    resolve(&mut filter, "example.org", &chain, 0);
    assert_eq!(filter.rules.admitted(), 0);
}

/// Anybody could send answers that nobody asked for.
#[test]
fn only_the_answer_to_a_question_counts() {
    let example = question(7, "example.org", A);
    let good = answer(&example, &[host(PEER, 300)]);
    type Change<'a> = &'a dyn Fn(&mut Datagram);
    let changes: [(&str, Change<'_>); 11] = [
        ("id", &|it| it.payload[0] ^= 1),
        ("name", &|it| it.payload[13] ^= 1),
        ("kind", &|it| it.payload[26] ^= AAAA as u8 ^ A as u8),
        ("class", &|it| it.payload[28] ^= 2),
        ("a question", &|it| it.payload[2] &= 0x7f),
        ("another operation", &|it| it.payload[2] |= 0x08),
        ("an error", &|it| it.payload[3] |= 3),
        ("two questions", &|it| it.payload[5] = 2),
        ("port", &|it| it.to.1 += 1),
        ("not the resolver", &|it| it.from.0 = address("10.0.2.2")),
        ("not its port", &|it| it.from.1 = 54),
    ];
    for (what, change) in changes {
        let mut filter = filter(&["example.org"]);
        let mut datagram = asked(&mut filter, &example).back(&good);
        change(&mut datagram);
        filter.incoming(&datagram.frame(), seconds(1));
        assert_eq!(connects(&mut filter, PEER, 443, 1), Err(Reason::Rule), "{what}");
    }
}

#[test]
fn an_answer_counts_once_and_in_time() {
    let example = question(7, "example.org", A);
    let mut filter = filter(&["example.org"]);
    let back = asked(&mut filter, &example);
    let (first, second) = (host(PEER, 300), host("203.0.113.8", 300));
    filter.incoming(&back.back(&answer(&example, &[first])).frame(), seconds(2));
    filter.incoming(&back.back(&answer(&example, &[second])).frame(), seconds(2));
    assert_eq!(connects(&mut filter, PEER, 443, 2), Ok(()));
    assert_eq!(connects(&mut filter, "203.0.113.8", 443, 2), Err(Reason::Rule));
    let late = asked(&mut filter, &example);
    filter
        .incoming(&late.back(&answer(&example, &[host("203.0.113.9", 300)])).frame(), seconds(32));
    assert_eq!(connects(&mut filter, "203.0.113.9", 443, 32), Err(Reason::Rule));
}

#[test]
fn dns_alone_lets_no_address_through() {
    let mut filter = filter(&["dns", "example.org:443"]);
    resolve(&mut filter, "other.example", &[host(PEER, 300)], 1);
    assert_eq!(connects(&mut filter, PEER, 443, 1), Err(Reason::Rule));
}

/// Addresses at the ends of a name that is asked for are not everything that an answer has.
#[test]
fn other_records_are_passed_over_and_broken_ones_end_the_answer() {
    let odd = (ASKED.to_vec(), 65, 300, vec![0, 1, 0]);
    let short = (ASKED.to_vec(), A, 300, vec![203, 0, 113]);
    let mut filter = filter(&["example.org"]);
    resolve(&mut filter, "example.org", &[odd, short, host(PEER, 300)], 1);
    assert_eq!(connects(&mut filter, PEER, 443, 1), Ok(()));
    // A name that points to itself.
    let turning = (vec![0xc0, 29], A, 300, vec![203, 0, 113, 8]);
    resolve(&mut filter, "example.org", &[turning, host("203.0.113.9", 300)], 1);
    assert_eq!(connects(&mut filter, "203.0.113.8", 443, 1), Err(Reason::Rule));
    assert_eq!(connects(&mut filter, "203.0.113.9", 443, 1), Err(Reason::Rule));
}

#[test]
fn an_answer_cut_anywhere_lets_nothing_else_through() {
    let example = question(7, "example.org", A);
    let whole = answer(&example, &[host(PEER, 300), host("203.0.113.8", 300)]);
    for end in 0..=whole.len() {
        let mut filter = filter(&["example.org"]);
        let back = asked(&mut filter, &example);
        filter.incoming(&back.back(&whole[..end]).frame(), seconds(1));
        assert!(
            filter.rules.admitted()
                <= (end >= whole.len() - 16) as usize + (end == whole.len()) as usize
        );
    }
}
