//! Chains that are answered later: each once, whatever the driver does meanwhile.

use std::collections::VecDeque;

use proptest::prelude::*;
use vm_memory::{Bytes, GuestAddress};

use super::*;
use crate::virtio::queue::driver::{Desc, WRITE};
use crate::virtio::queue::{Chain, Token};

#[derive(Clone, Debug)]
enum Step {
    /// The driver offers a chain, if it has one that it did not offer.
    Offer,
    BeginTurn,
    /// The thread takes a chain.
    Take,
    /// It answers one of those that it took.
    Answer(usize),
    EndTurn,
    /// The driver writes 0 to the status.
    Reset,
    /// It starts over, if the reset is complete.
    Start,
    Pause,
    Resume,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Offer),
        3 => Just(Step::BeginTurn),
        4 => Just(Step::Take),
        4 => any::<usize>().prop_map(Step::Answer),
        2 => Just(Step::EndTurn),
        1 => Just(Step::Reset),
        3 => Just(Step::Start),
        1 => Just(Step::Pause),
        2 => Just(Step::Resume),
    ]
}

/// A driver with four chains, a thread, and what each must know.
struct Bench {
    machine: Machine,
    driver: Driver,
    /// Chains that the driver may offer.
    free: VecDeque<u16>,
    /// Chains that it offered and that were not taken yet, in order.
    offered: VecDeque<u16>,
    /// What the thread has, and whether the driver waits for it.
    taken: Vec<(Chain, Token, bool)>,
    /// What was answered and the driver has not looked at.
    answered: VecDeque<u16>,
    running: bool,
}

impl Bench {
    fn new() -> Self {
        let (machine, driver) = Machine::running(F_VERSION_1);
        let mut bench = Self {
            machine,
            driver,
            free: VecDeque::new(),
            offered: VecDeque::new(),
            taken: Vec::new(),
            answered: VecDeque::new(),
            running: true,
        };
        bench.begin();
        bench
    }

    /// The driver's state after a handshake.
    fn begin(&mut self) {
        self.running = true;
        self.free = (0..4).collect();
        for head in 0..4 {
            let addr = 0x8000 + u64::from(head);
            self.driver.describe(head, Desc { addr, len: 1, flags: WRITE, next: 0 });
        }
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Offer if self.running => {
                if let Some(head) = self.free.pop_front() {
                    self.driver.offer(head);
                    self.offered.push_back(head);
                }
            }
            Step::BeginTurn => _ = self.machine.mmio.begin_turn(),
            Step::Take => {
                let taken = self.machine.mmio.take(|_, queues, mem| queues[0].pop_deferred(mem));
                if let Some((chain, token)) = taken {
                    assert_eq!(self.offered.pop_front(), Some(chain.head));
                    self.taken.push((chain, token, true));
                }
            }
            Step::Answer(index) if !self.taken.is_empty() => {
                let (chain, token, waited_for) = self.taken.remove(index % self.taken.len());
                self.machine.mmio.answer(0, token, Ok(u32::from(chain.head) + 7));
                if waited_for {
                    self.answered.push_back(chain.head);
                }
            }
            Step::EndTurn => _ = self.machine.mmio.end_turn(),
            Step::Reset => {
                self.machine.write(STATUS, 0);
                self.running = false;
                self.offered.clear();
                self.answered.clear();
                self.taken.iter_mut().for_each(|(_, _, waited_for)| *waited_for = false);
            }
            Step::Start if !self.running && self.machine.read(STATUS) == 0 => {
                self.machine.mem.write_slice(&[0; 0x4000], GuestAddress(0)).unwrap();
                self.driver = self.machine.start(F_VERSION_1, 1).remove(0);
                self.begin();
            }
            Step::Pause => self.machine.mmio.pause(),
            Step::Resume => self.machine.mmio.resume(),
            _ => {}
        }
    }

    /// The used ring has what was answered since the reset, once and in order, and nothing else.
    fn check(&mut self) {
        let resetting = !self.running && !self.taken.is_empty();
        let waits = self.machine.read(STATUS) == NEEDS_RESET;
        assert_eq!((waits, self.running), (resetting, self.machine.read(STATUS) == RUNNING));
        while let Some((head, written)) = self.driver.take_used() {
            assert!(self.running, "after a reset nothing is used");
            assert_eq!(self.answered.pop_front(), Some(head as u16));
            assert_eq!(written, head + 7);
            self.free.push_back(head as u16);
        }
        assert!(self.answered.is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn each_chain_comes_back_once_or_not_at_all_after_a_reset(
        steps in prop::collection::vec(step(), 0..120),
    ) {
        let mut bench = Bench::new();
        for step in &steps {
            bench.take(step);
            bench.check();
        }
        // Whatever is left is answered when it is asked for.
        bench.take(&Step::Resume);
        while !bench.offered.is_empty() || !bench.taken.is_empty() {
            [Step::EndTurn, Step::BeginTurn, Step::Take, Step::Answer(0)].iter().for_each(|step| bench.take(step));
            bench.check();
        }
        prop_assert_eq!(bench.free.len(), if bench.running { 4 } else { bench.free.len() });
    }
}

#[test]
fn a_turn_that_is_abandoned_tells_what_it_has_and_nothing_later() {
    let mut bench = Bench::new();
    let steps =
        [Step::Offer, Step::Offer, Step::BeginTurn, Step::Take, Step::Answer(0), Step::Take];
    steps.iter().for_each(|step| bench.take(step));
    bench.machine.mmio.pause();
    bench.machine.mmio.abandon_turn();
    bench.check();
    assert_eq!(bench.machine.irq.count(), 1);
    let (_, token, _) = bench.taken.remove(0);
    bench.machine.mmio.answer(0, token, Ok(1));
    assert!(!bench.machine.mmio.end_turn());
    assert_eq!((bench.driver.take_used(), bench.machine.irq.count()), (None, 1));
}

#[test]
fn a_stopped_queue_is_the_drivers_once_its_chains_are_back() {
    let mut bench = Bench::new();
    [Step::Offer, Step::BeginTurn, Step::Take].iter().for_each(|step| bench.take(step));
    bench.machine.write(QUEUE_SEL, 0);
    bench.machine.write(QUEUE_READY, 0);
    assert_eq!(bench.machine.read(QUEUE_READY), 1, "a chain is under way");
    let (_, token, _) = bench.taken.remove(0);
    bench.machine.mmio.answer(0, token, Ok(1));
    assert_eq!((bench.machine.read(QUEUE_READY), bench.driver.take_used()), (0, None));
}
