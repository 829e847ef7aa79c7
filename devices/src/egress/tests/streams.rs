//! Questions and answers over TCP.

use proptest::collection::vec;
use proptest::prelude::*;

use super::frames::{A, ACK, RESOLVER, RST, SYN, Segment, answer, host, question};
use super::*;

const PEER: &str = "203.0.113.7";
/// Urgent bytes are there.
const URG: u8 = 32;
const FIN: u8 = 1;

/// A connection to the resolver: the guest's bytes begin at 1001, the resolver's at 5001.
pub fn open(filter: &mut Filter, now: u64) {
    assert_eq!(connects(filter, RESOLVER, 53, now), Ok(()));
    taken(filter, 1001, now);
}

fn taken(filter: &mut Filter, acknowledgment: u32, now: u64) {
    let mut taken = Segment::from(RESOLVER, 53, SYN | ACK);
    (taken.sequence, taken.acknowledgment) = (5000, acknowledgment);
    filter.incoming(&taken.frame(), seconds(now));
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u16).to_be_bytes(), message].concat()
}

fn send(
    filter: &mut Filter,
    payload: &[u8],
    sequence: u32,
    flags: u8,
    now: u64,
) -> Result<(), Reason> {
    let mut segment = Segment::to(RESOLVER, 53, flags);
    (segment.sequence, segment.acknowledgment) = (sequence, 5001);
    segment.payload = payload.to_vec();
    sent(filter, &segment.frame(), now)
}

pub fn ask(filter: &mut Filter, message: &[u8], sequence: u32, now: u64) -> Result<(), Reason> {
    send(filter, &framed(message), sequence, ACK, now)
}

fn receive(filter: &mut Filter, payload: &[u8], sequence: u32, now: u64) {
    let mut segment = Segment::from(RESOLVER, 53, ACK);
    segment.sequence = sequence;
    segment.payload = payload.to_vec();
    filter.incoming(&segment.frame(), seconds(now));
}

pub fn reply(filter: &mut Filter, message: &[u8], sequence: u32, now: u64) {
    receive(filter, &framed(message), sequence, now);
}

#[test]
fn a_refused_question_ends_its_connection() {
    let mut filter = filter(&["example.org"]);
    open(&mut filter, 1);
    let mut segment = Segment::to(RESOLVER, 53, ACK);
    (segment.sequence, segment.acknowledgment) = (1001, 5001);
    segment.payload = framed(&question(1, "other.example", A));
    let frame = segment.frame();
    let Verdict::Answer(reset) = filter.outgoing(&frame, Offload::default(), seconds(1)) else {
        panic!("not answered");
    };
    assert!(frames::sums_up(&reset[14..34]) && frames::has_right_sum(reset));
    let mut expected = Segment::from(RESOLVER, 53, RST);
    expected.sequence = 5001;
    assert_eq!(reset[34..46], expected.frame()[34..46]);
    assert_eq!(reset[47], RST);
    assert_eq!(reset.len(), 54);
}

#[test]
fn one_segment_is_whole_questions_and_the_next() {
    let one = question(1, "example.org", A);
    let two = question(2, "www.example.org", A);
    let next = 1001 + framed(&one).len() as u32;
    let mut filter = filter(&["example.org", "*.example.org"]);
    // Nobody has taken a connection yet.
    assert_eq!(ask(&mut filter, &one, 1001, 1), Err(Reason::Question));
    open(&mut filter, 1);
    for (what, payload, sequence, flags) in [
        ("without its length", one.clone(), 1001, ACK),
        ("the length alone", framed(&one)[..2].to_vec(), 1001, ACK),
        ("half of it", framed(&one)[..20].to_vec(), 1001, ACK),
        ("one and half of the next", [&framed(&one), &framed(&two)[..20]].concat(), 1001, ACK),
        ("one and half of a length", [&framed(&one), &[0][..]].concat(), 1001, ACK),
        ("one and no question", [framed(&one), framed(b"")].concat(), 1001, ACK),
        ("nine at once", framed(&one).repeat(9), 1001, ACK),
        ("before the first", framed(&one), 1000, ACK),
        ("behind the first", framed(&one), 1002, ACK),
        ("with a SYN", framed(&one), 1001, SYN),
        ("with a reset", framed(&one), 1001, ACK | RST),
        ("without an acknowledgment", framed(&one), 1001, 0),
        ("with an urgent byte", framed(&one), 1001, ACK | URG),
        ("an urgent byte to come", vec![], 1001, ACK | URG),
    ] {
        assert_eq!(
            send(&mut filter, &payload, sequence, flags, 1),
            Err(Reason::Question),
            "{what}"
        );
    }
    assert_eq!(ask(&mut filter, &one, 1001, 1), Ok(()));
    assert_eq!(ask(&mut filter, &one, 1001, 1), Ok(()), "again, as it was lost");
    assert_eq!(ask(&mut filter, &two, 1001, 1), Err(Reason::Question), "something else again");
    assert_eq!(ask(&mut filter, &two, next, 1), Ok(()));
    assert_eq!(ask(&mut filter, &one, 1001, 1), Err(Reason::Question), "the last but one");
    // Nothing to read in them.
    for flags in [SYN, ACK, ACK | FIN, RST] {
        assert_eq!(send(&mut filter, &[], 77, flags, 1), Ok(()));
    }
}

/// As glibc sends its two (RFC 7766 §6.2.1.1).
#[test]
fn questions_at_once_pass_together_or_not_at_all() {
    let names = ["example.org", "other.example", "www.example.org"];
    let questions: Vec<_> =
        (1..).zip(names).map(|(id, name)| framed(&question(id, name, A))).collect();
    let [one, refused, two] = &questions[..] else { panic!("three") };
    let mut filter = filter(&["example.org", "*.example.org"]);
    open(&mut filter, 1);
    for together in [[one, refused].map(Vec::clone), [refused, one].map(Vec::clone)] {
        assert_eq!(send(&mut filter, &together.concat(), 1001, ACK, 1), Err(Reason::Name));
    }
    assert_eq!(filter.dns.under_way().0, 0, "none has passed");
    let both = [&one[..], two].concat();
    assert_eq!(send(&mut filter, &both, 1001, ACK, 1), Ok(()));
    assert_eq!(send(&mut filter, &both, 1001, ACK, 1), Ok(()), "again, as it was lost");
    assert_eq!(send(&mut filter, one, 1001, ACK, 1), Err(Reason::Question), "a part of it again");
    let next = 1001 + both.len() as u32;
    assert_eq!(send(&mut filter, &one.repeat(8), next, ACK, 1), Ok(()));
}

#[test]
fn each_answer_of_a_segment_counts() {
    let questions = [(7, "example.org"), (8, "www.example.org")];
    let questions = questions.map(|(id, name)| question(id, name, A));
    let peers = [PEER, "203.0.113.8"];
    let answers = [0, 1].map(|at| framed(&answer(&questions[at], &[host(peers[at], 300)])));
    // Where the second segment begins, and which of the two count.
    let whole = answers.concat();
    let (first, end) = (answers[0].len(), whole.len());
    let cuts = [(end, [true, true]), (first, [true, true]), (first - 1, [false, true])];
    for (cut, counts) in cuts.into_iter().chain([(first + 3, [true, false])]) {
        let mut filter = filter(&["example.org", "*.example.org"]);
        open(&mut filter, 1);
        let both = [framed(&questions[0]), framed(&questions[1])].concat();
        assert_eq!(send(&mut filter, &both, 1001, ACK, 1), Ok(()));
        receive(&mut filter, &whole[..cut], 5001, 1);
        receive(&mut filter, &whole[cut..], 5001 + cut as u32, 1);
        let passes = peers.map(|peer| connects(&mut filter, peer, 443, 1).is_ok());
        assert_eq!(passes, counts, "{cut}");
    }
}

proptest! {
    /// However a guest divides its questions among segments, one passes that is whole questions for allowed names, the next in
    /// the stream and not too many.
    #[test]
    fn what_passes_is_what_the_resolver_may_be_asked(
        segments in vec(vec((any::<bool>(), 1..40_usize), 0..10), 1..8),
        cut in 0..60_usize,
    ) {
        let mut filter = filter(&["*.example.org"]);
        open(&mut filter, 1);
        let (mut id, mut next) = (0, 1001);
        for (at, segment) in segments.iter().enumerate() {
            let (mut bytes, mut ends) = (Vec::new(), vec![0]);
            for (allowed, len) in segment {
                let domain = if *allowed { "example.org" } else { "example.com" };
                id += 1;
                bytes.extend(framed(&question(id, &format!("{}.{domain}", "a".repeat(*len)), A)));
                ends.push(bytes.len());
            }
            // The last one is cut off somewhere.
            let cut = if at + 1 == segments.len() { cut.min(bytes.len()) } else { 0 };
            bytes.truncate(bytes.len() - cut);
            let whole = ends.iter().position(|end| *end == bytes.len());
            let may = whole.is_some_and(|count| {
                count <= 8 && segment[..count].iter().all(|(allowed, _)| *allowed)
            });
            let passes = send(&mut filter, &bytes, next, ACK, 1).is_ok();
            prop_assert_eq!(passes, may);
            if passes {
                next += bytes.len() as u32;
            }
        }
    }
}

/// The resolver puts its stream together from the first bytes that it got for each place. A filter that believes a
/// guest's second SYN would look at other places.
#[test]
fn only_the_resolver_says_where_a_stream_begins() {
    let mut filter = filter(&["*.example.org"]);
    open(&mut filter, 1);
    let mut again = Segment::to(RESOLVER, 53, SYN);
    again.sequence = 950;
    assert_eq!(sent(&mut filter, &again.frame(), 1), Ok(()));
    let smuggler = question(1, "tail-is-another-question.example.org", A);
    assert_eq!(ask(&mut filter, &smuggler, 951, 1), Err(Reason::Question));
    // Its word comes twice, for it was lost once; between the two a question passed.
    assert_eq!(ask(&mut filter, &smuggler, 1001, 1), Ok(()));
    taken(&mut filter, 1001, 1);
    assert_eq!(ask(&mut filter, &question(2, "x.example.org", A), 1001, 1), Err(Reason::Question));
}

#[test]
fn a_stream_is_not_forgotten_for_a_new_one() {
    let mut filter = filter(&["example.org"]);
    let opened = |filter: &mut Filter, port: u16, now| {
        let mut taken = Segment::from(RESOLVER, 53, SYN | ACK);
        (taken.sequence, taken.acknowledgment, taken.to.1) = (5000, 1001, port);
        filter.incoming(&taken.frame(), seconds(now));
    };
    for port in 0..200 {
        opened(&mut filter, 40_000 + port, 1);
    }
    assert_eq!(filter.dns.under_way().1, 64);
    let one = question(1, "example.org", A);
    assert_eq!(ask(&mut filter, &one, 1001, 1), Ok(()));
    // All but that one were idle for two minutes.
    assert_eq!(
        ask(&mut filter, &question(2, "example.org", A), 1001 + framed(&one).len() as u32, 100),
        Ok(())
    );
    opened(&mut filter, 50_000, 122);
    assert_eq!(filter.dns.under_way().1, 2);
}

/// An answer of many segments has bytes that its author chose, at places where a segment may begin.
#[test]
fn what_looks_like_an_answer_within_an_answer_is_none() {
    let good = question(7, "example.org", A);
    let fake = framed(&answer(&good, &[host("203.0.113.66", 300)]));
    let mut filter = filter(&["example.org", "*.attacker.example"]);
    open(&mut filter, 1);
    assert_eq!(ask(&mut filter, &good, 1001, 1), Ok(()));
    // Its length says that the fake is part of it.
    let mut first = ((100 + fake.len()) as u16).to_be_bytes().to_vec();
    first.extend([0; 100]);
    receive(&mut filter, &first, 5001, 1);
    receive(&mut filter, &fake, 5103, 1);
    assert_eq!(connects(&mut filter, "203.0.113.66", 443, 1), Err(Reason::Rule));
    // And behind it a true one.
    let after = 5103 + fake.len() as u32;
    reply(&mut filter, &answer(&good, &[host(PEER, 300)]), after, 1);
    assert_eq!(connects(&mut filter, PEER, 443, 1), Ok(()));
}

#[test]
fn an_answer_counts_only_where_one_begins() {
    let good = question(7, "example.org", A);
    let answer = framed(&answer(&good, &[host(PEER, 300)]));
    let big = [vec![0, 3, 9, 9, 9], vec![0, 1, 9], vec![0, 200, 1]].concat();
    type Earlier<'a> = &'a [(&'a [u8], u32)];
    let cases: [(&str, Earlier<'_>, u32, bool); 8] = [
        ("at the start", &[], 5001, true),
        ("before it", &[], 5000, false),
        ("after a gap", &[], 5002, false),
        ("after a whole one", &[(&[0, 1, 9], 5001)], 5004, true),
        ("after one that came twice", &[(&[0, 1, 9], 5001), (&[0, 1, 9], 5001)], 5004, true),
        ("after one and a part of itself", &[(&[0, 1, 9], 5001), (&[9, 0, 9], 5003)], 5006, false),
        ("after half a length", &[(&[0], 5001)], 5002, false),
        ("in a third one", &[(&big, 5001)], 5012, false),
    ];
    for (what, earlier, sequence, counts) in cases {
        let mut filter = filter(&["example.org"]);
        open(&mut filter, 1);
        assert_eq!(ask(&mut filter, &good, 1001, 1), Ok(()));
        for (payload, sequence) in earlier {
            receive(&mut filter, payload, *sequence, 1);
        }
        receive(&mut filter, &answer, sequence, 1);
        assert_eq!(connects(&mut filter, PEER, 443, 1).is_ok(), counts, "{what}");
    }
    // Over UDP it was not asked.
    let mut filter = filter(&["example.org"]);
    open(&mut filter, 1);
    assert_eq!(ask(&mut filter, &good, 1001, 1), Ok(()));
    let udp = frames::Datagram::to_resolver(&good).back(&answer[2..]);
    filter.incoming(&udp.frame(), seconds(1));
    assert_eq!(connects(&mut filter, PEER, 443, 1), Err(Reason::Rule));
}
