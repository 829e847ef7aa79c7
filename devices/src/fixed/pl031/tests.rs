use proptest::prelude::*;

use super::*;
use crate::testing::{Hand, clock};

type Bench = clock::Bench<Pl031>;

/// 2026-11-24 09:00:00 UTC.
const NOW: u32 = 1_795_510_800;

impl Bench {
    fn new() -> Self {
        Self::with(Hand::at(NOW.into()))
    }

    fn with(hand: Hand) -> Self {
        Self::of(Pl031::new, hand)
    }

    fn get(&mut self, register: u64) -> u32 {
        let mut word = [0; 4];
        self.rtc.read(register, &mut word);
        u32::from_le_bytes(word)
    }

    fn put(&mut self, register: u64, value: u32) {
        assert_eq!(self.rtc.write(register, &value.to_le_bytes()), Outcome::Continue);
    }

    fn seconds(&self, n: u64) {
        self.hand.advance(Duration::from_secs(n));
    }

    /// As Linux's drivers/rtc/rtc-pl031.c sets an alarm.
    fn set_alarm(&mut self, time: u32) {
        self.put(MR, time);
        self.put(ICR, 1);
        self.put(IMSC, 1);
    }
}

#[test]
fn identifies_itself_as_an_arm_pl031() {
    let mut b = Bench::new();
    let id: Vec<u32> = (0..8).map(|i| b.get(0xfe0 + 4 * i)).collect();
    assert_eq!(id, [0x31, 0x10, 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1]);
}

#[test]
fn shows_the_hosts_time_until_the_guest_sets_it() {
    let mut b = Bench::new();
    assert_eq!((b.get(DR), b.get(LR), b.get(CR)), (NOW, 0, 1));
    b.put(CR, 0);
    b.seconds(5);
    assert_eq!((b.get(DR), b.get(CR)), (NOW + 5, 1), "a clock that runs cannot be stopped");
    b.put(LR, 1000);
    b.seconds(7);
    assert_eq!((b.get(DR), b.get(LR)), (1007, 1000));
    b.put(LR, u32::MAX);
    b.seconds(2);
    assert_eq!(b.get(DR), 1, "it comes round");
    b.put(DR, 0);
    b.rtc.reset();
    assert_eq!((b.get(DR), b.get(LR), b.get(MR)), (1, 0, 0), "the time has a battery");
}

#[test]
fn the_alarm_rings_at_its_second_and_once() {
    let mut b = Bench::new();
    b.hand.advance(Duration::from_millis(250));
    b.set_alarm(NOW + 10);
    assert_eq!(b.rtc.next_event(), Some(Duration::from_millis(9750)));
    b.hand.advance(Duration::from_millis(9749));
    b.rtc.tick();
    assert_eq!((b.irq.count(), b.get(RIS)), (0, 0));
    b.hand.advance(Duration::from_millis(1));
    b.rtc.tick();
    assert_eq!((b.irq.count(), b.get(RIS), b.get(MIS)), (1, 1, 1));
    assert_eq!(b.rtc.next_event(), None);
    b.put(ICR, 0);
    assert_eq!(b.get(MIS), 1);
    b.put(ICR, 1);
    assert_eq!((b.irq.count(), b.get(RIS)), (1, 0));
    assert_eq!(b.rtc.next_event(), Some(Duration::from_secs(1 << 32)), "when it comes round");
}

#[test]
fn a_masked_alarm_waits_for_the_mask() {
    let mut b = Bench::new();
    b.put(MR, NOW + 1);
    assert_eq!(b.rtc.next_event(), None);
    b.seconds(1);
    assert_eq!((b.get(RIS), b.get(MIS), b.irq.count()), (1, 0, 0));
    b.put(IMSC, 1);
    assert_eq!((b.get(MIS), b.irq.count()), (1, 1));
}

#[test]
fn an_alarm_for_now_rings_at_once_whether_it_or_the_time_is_set() {
    let mut b = Bench::new();
    b.put(IMSC, 1);
    b.put(MR, NOW);
    assert_eq!(b.irq.count(), 1);
    b.put(ICR, 1);
    assert_eq!((b.get(RIS), b.irq.count()), (0, 1), "and is over when it is cleared");
    b.put(MR, 500);
    b.put(LR, 499);
    assert_eq!(b.irq.count(), 1);
    b.put(LR, 500);
    assert_eq!(b.irq.count(), 2);
}

#[test]
fn an_alarm_that_was_slept_through_rings_late() {
    let mut b = Bench::new();
    b.set_alarm(NOW + 10);
    b.seconds(1_000_000);
    assert_eq!(b.rtc.next_event(), Some(Duration::ZERO));
    b.rtc.tick();
    assert_eq!(b.irq.count(), 1);
}

#[test]
fn a_host_clock_that_is_set_back_rings_nothing() {
    let mut b = Bench::new();
    b.set_alarm(NOW - 1800);
    b.hand.set_back(Duration::from_secs(3600));
    b.rtc.tick();
    assert_eq!(b.irq.count(), 0);
    assert_eq!(b.rtc.next_event(), Some(Duration::from_secs(1800)));
}

#[test]
fn forged_states_are_refused() {
    let mut b = Bench::new();
    let good = b.rtc.save();
    for (bad, field) in [
        (Pl031State { offset: i64::MIN, ..good.clone() }, "offset"),
        (Pl031State { last_update: i64::MAX, ..good.clone() }, "last_update"),
    ] {
        let error = b.rtc.restore(&bad).unwrap_err().to_string();
        assert!(error.contains(field), "{error}");
    }
    assert_eq!(b.rtc.save(), good);
}

#[derive(Clone, Debug)]
enum Step {
    Read(u64),
    /// To DR plus the value: a time that comes soon.
    Soon(u64, u32),
    Write(u64, u32),
    Raw(u64, [u8; 8], usize),
    Wait(u64),
    SetBack(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let register = || (0u64..8).prop_map(|register| 4 * register);
    let len = prop::sample::select(vec![1usize, 2, 4, 8]);
    let step = prop_oneof![
        4 => register().prop_map(Step::Read),
        3 => (register(), 0u32..200).prop_map(|(register, ahead)| Step::Soon(register, ahead)),
        3 => (register(), any::<u32>()).prop_map(|(register, value)| Step::Write(register, value)),
        1 => (any::<u64>(), any::<[u8; 8]>(), len).prop_map(|(offset, bytes, len)| Step::Raw(offset, bytes, len)),
        3 => (0u64..200_000_000_000).prop_map(Step::Wait),
        1 => (0u64..200_000_000_000).prop_map(Step::SetBack),
    ];
    prop::collection::vec(step, 0..100)
}

/// Moves the time, which two clocks may share.
fn move_time(hand: &Hand, step: &Step) {
    match step {
        Step::Wait(nanos) => hand.advance(Duration::from_nanos(*nanos)),
        Step::SetBack(nanos) => hand.set_back(Duration::from_nanos(*nanos)),
        _ => {}
    }
}

impl Bench {
    /// Gives the guest's answer.
    fn take(&mut self, step: &Step) -> u32 {
        match step {
            Step::Read(register) => return self.get(*register),
            Step::Soon(register, ahead) => {
                let time = self.get(DR).wrapping_add(*ahead);
                self.put(*register, time);
            }
            Step::Write(register, value) => self.put(*register, *value),
            Step::Raw(offset, bytes, len) => {
                self.rtc.write(*offset, &bytes[..*len]);
                let mut read = [0; 8];
                self.rtc.read(*offset, &mut read[..*len]);
            }
            Step::Wait(_) | Step::SetBack(_) => self.rtc.tick(),
        }
        0
    }
}

proptest! {
    #[test]
    fn save_and_restore_at_any_step_change_no_answer(steps in steps(), cut in 0usize..100) {
        let mut original = Bench::new();
        let mut copy = None::<Bench>;
        for (i, step) in steps.iter().enumerate() {
            move_time(&original.hand, step);
            if i == cut {
                let saved = serde_json::to_string(&original.rtc.save()).unwrap();
                let mut new = Bench::with(original.hand.clone());
                new.rtc.restore(&serde_json::from_str(&saved).unwrap()).unwrap();
                copy = Some(new);
            }
            let want = original.seen(|b| b.take(step));
            if let Some(copy) = &mut copy {
                prop_assert_eq!(copy.seen(|b| b.take(step)), want);
            }
        }
    }

    /// The line is RIS and IMSC, and an edge comes exactly when it goes up.
    #[test]
    fn an_edge_comes_exactly_when_the_line_goes_up(steps in steps()) {
        let mut b = Bench::new();
        let (mut line, mut edges) = (0, 0);
        for step in &steps {
            move_time(&b.hand, step);
            b.rtc.tick();
            for act in [false, true] {
                if act {
                    b.take(step);
                }
                let now = b.get(MIS);
                prop_assert_eq!(now, b.get(RIS) & b.get(IMSC));
                let up = usize::from(now > line);
                let wide = matches!(step, Step::Raw(_, _, 8));
                prop_assert!(b.irq.count() == edges + up || wide && act, "{step:?}");
                (line, edges) = (now, b.irq.count());
            }
        }
    }

    #[test]
    fn the_next_event_is_when_the_interrupt_comes(steps in steps()) {
        let mut b = Bench::new();
        for step in &steps {
            move_time(&b.hand, step);
            b.take(step);
        }
        b.rtc.tick();
        prop_assert_ne!(b.rtc.next_event(), Some(Duration::ZERO), "what is due has rung");
        b.await_next_event();
    }
}
