//! All that can come of the counters, from where they are about to wrap, against sums that don't. In place of proofs: Kani's
//! compiler is in no package registry (CONTRIBUTING.md).

use std::collections::HashSet;

use super::*;

const MAX: u32 = u32::MAX;

/// Around each border of the arithmetic.
const VALUES: [u32; 19] = [
    0,
    1,
    2,
    3,
    BUF_ALLOC / 2 - 1,
    BUF_ALLOC / 2,
    BUF_ALLOC - 1,
    BUF_ALLOC,
    BUF_ALLOC + 1,
    2 * BUF_ALLOC,
    (1 << 31) - 1,
    1 << 31,
    (1 << 31) + 1,
    MAX - BUF_ALLOC - 1,
    MAX - BUF_ALLOC,
    MAX - 3,
    MAX - 2,
    MAX - 1,
    MAX,
];

fn guest_says(buf_alloc: u32, fwd_cnt: u32) -> Header {
    Header { buf_alloc: buf_alloc.into(), fwd_cnt: fwd_cnt.into(), ..Header::default() }
}

/// Whatever a guest says, true or not: what may be sent is what its buffer holds less what is under way, and no more after
/// it was sent.
#[test]
fn no_more_is_sent_than_the_guest_has_room_for_whatever_it_says() {
    for sent in VALUES {
        for forwarded in VALUES {
            for alloc in VALUES {
                let mut credit = Credit { sent, ..Credit::default() };
                credit.update(&guest_says(alloc, forwarded));
                let room = credit.available();
                // As on a clock with 2^32 hours: how far `sent` is ahead.
                let under_way = (u64::from(sent) + (1 << 32) - u64::from(forwarded)) % (1 << 32);
                let expected = u64::from(alloc).saturating_sub(under_way);
                assert_eq!(u64::from(room), expected, "{sent:#x} {forwarded:#x} {alloc:#x}");
                for bytes in VALUES.into_iter().chain([room]).filter(|&bytes| bytes <= room) {
                    let mut credit = Credit { sent, ..Credit::default() };
                    credit.update(&guest_says(alloc, forwarded));
                    credit.count_sent(bytes);
                    assert_eq!(credit.available(), room - bytes);
                }
            }
        }
    }
}

/// Both sides of one connection in whole numbers, beside the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Sums {
    received: u64,
    forwarded: u64,
    announced: u64,
    sent: u64,
    /// What the guest said last.
    alloc: u64,
    taken: u64,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// The guest sends so many bytes.
    Receive(u32),
    /// The host's stream takes so many of those that wait.
    Forward(u32),
    /// A packet goes out, with so many bytes, of what the guest has room for.
    Send(u32),
    /// The guest has taken so many of those that were sent, and says so, and how large its buffer is.
    Update(u32, u32),
}

/// What can be done with amounts around each border; `u32::MAX` stands for all there is.
fn steps() -> Vec<Step> {
    let amounts = [0, 1, BUF_ALLOC / 2, BUF_ALLOC - 1, BUF_ALLOC, BUF_ALLOC + 1, MAX];
    let mut steps: Vec<Step> = amounts.map(Step::Receive).into();
    steps.extend([1, BUF_ALLOC / 2, MAX].map(Step::Forward));
    steps.extend([0, 1, MAX].map(Step::Send));
    for alloc in [0, 1, BUF_ALLOC, MAX] {
        steps.extend([0, 1, MAX].map(|taken| Step::Update(alloc, taken)));
    }
    steps
}

/// A state to go on from: the counters, as numbers, since they can't be compared, and the sums.
type State = ([u32; 6], Sums);

fn credit(numbers: [u32; 6]) -> Credit {
    let [received, forwarded, announced, sent, guest_alloc, guest_forwarded] = numbers;
    Credit { received, forwarded, announced, sent, guest_alloc, guest_forwarded }
}

fn take(state: &State, step: Step) -> State {
    let (mut credit, mut sums) = (credit(state.0), state.1);
    let held = sums.received - sums.forwarded;
    let part = |wanted: u32, all: u64| u64::from(wanted).min(all);
    match step {
        Step::Receive(bytes) => {
            let fits = held + u64::from(bytes) <= u64::from(BUF_ALLOC);
            assert_eq!(credit.count_received(bytes), fits, "{step:?} {state:x?}");
            sums.received += if fits { u64::from(bytes) } else { 0 };
        }
        Step::Forward(bytes) => {
            let bytes = part(bytes, held);
            credit.count_forwarded(bytes as u32);
            sums.forwarded += bytes;
        }
        Step::Send(bytes) => {
            let bytes = part(bytes, credit.available().into());
            credit.count_sent(bytes as u32);
            sums.sent += bytes;
            assert!(bytes == 0 || sums.sent - sums.taken <= sums.alloc, "{step:?} {state:x?}");
            let mut header = Header::default();
            credit.announce(&mut header);
            sums.announced = sums.forwarded;
            let said = (header.buf_alloc.get(), header.fwd_cnt.get());
            assert_eq!(said, (BUF_ALLOC, sums.forwarded as u32));
        }
        Step::Update(alloc, taken) => {
            sums.taken += part(taken, sums.sent - sums.taken);
            sums.alloc = alloc.into();
            credit.update(&guest_says(alloc, sums.taken as u32));
        }
    }
    let room = sums.alloc.saturating_sub(sums.sent - sums.taken);
    assert_eq!(u64::from(credit.available()), room, "{step:?} {state:x?}");
    let news = sums.forwarded - sums.announced;
    assert_eq!(credit.worth_announcing(), news >= u64::from(BUF_ALLOC / 2), "{step:?} {state:x?}");
    let Credit { received, forwarded, announced, sent, guest_alloc, guest_forwarded } = credit;
    ([received, forwarded, announced, sent, guest_alloc, guest_forwarded], sums)
}

/// Each sequence of so many steps, from the beginning and from just before each counter wraps. The sums don't wrap, and
/// nothing may ever differ from them; an overflow of ours is a panic here.
#[test]
fn every_short_life_of_the_counters_is_that_of_whole_numbers() {
    const LENGTH: usize = 5;
    for start in [0, MAX, MAX - 1, MAX - BUF_ALLOC / 2, MAX - BUF_ALLOC] {
        let sum = u64::from(start);
        let sums =
            Sums { received: sum, forwarded: sum, announced: sum, sent: sum, alloc: 0, taken: sum };
        let mut states: HashSet<State> = [([start, start, start, start, 0, start], sums)].into();
        let mut seen = states.clone();
        for _ in 0..LENGTH {
            let next = |state: &State| steps().into_iter().map(|step| take(state, step)).collect();
            let reached: HashSet<State> = states.iter().flat_map::<Vec<_>, _>(next).collect();
            states = reached.difference(&seen).copied().collect();
            seen.extend(&states);
        }
        assert!(seen.len() > 1_000, "{} states from {start:#x}", seen.len());
    }
}
