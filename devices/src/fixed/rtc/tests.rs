use proptest::prelude::*;

use super::*;
use crate::testing::{Hand, clock};

type Bench = clock::Bench<Rtc>;

/// 2026-11-23 18:30:15 UTC, a Monday.
const NOW: u64 = 1_795_458_615;

impl Bench {
    fn new() -> Self {
        Self::with(Hand::at(NOW))
    }

    fn with(hand: Hand) -> Self {
        Self::of(Rtc::new, hand)
    }

    fn get(&mut self, register: u8) -> u8 {
        self.rtc.write(0, &[register]);
        let mut byte = [0];
        self.rtc.read(1, &mut byte);
        byte[0]
    }

    fn put(&mut self, register: u8, value: u8) {
        self.rtc.write(0, &[register]);
        assert_eq!(self.rtc.write(1, &[value]), Outcome::Continue);
    }

    fn time(&mut self) -> [u8; 8] {
        TIME.map(|register| self.get(register))
    }

    fn seconds(&self, n: u64) {
        self.hand.advance(Duration::from_secs(n));
    }
}

#[test]
fn shows_the_host_time_in_every_format() {
    let mut b = Bench::new();
    assert_eq!(b.time(), [0x15, 0x30, 0x18, 2, 0x23, 0x11, 0x26, 0x20], "BCD, 24 hours");
    b.put(REG_B, 0);
    assert_eq!(b.get(HOUR), 0x86, "BCD, 6 in the afternoon");
    b.put(REG_B, REG_B_BINARY);
    assert_eq!(b.get(HOUR), 0x80 | 6);
    b.put(REG_B, REG_B_BINARY | REG_B_24_HOUR);
    assert_eq!(b.time(), [15, 30, 18, 2, 23, 11, 26, 20]);
    b.seconds(86_400);
    assert_eq!(b.time(), [15, 30, 18, 3, 24, 11, 26, 20]);
}

/// The order of Linux's `mc146818_set_time`.
#[test]
fn the_guest_sets_the_clock_and_it_runs_on() {
    let mut b = Bench::new();
    b.put(REG_B, REG_B_SET | REG_B_24_HOUR);
    b.put(REG_A, 0x76);
    for (register, value) in TIME.into_iter().zip([0x58, 0x59, 0x23, 1, 0x28, 0x02, 0x24, 0x20]) {
        b.put(register, value);
        b.seconds(1);
    }
    b.put(REG_B, REG_B_24_HOUR);
    b.put(REG_A, 0x26);
    assert_eq!(b.time(), [0x58, 0x59, 0x23, 4, 0x28, 0x02, 0x24, 0x20], "2024-02-28: Wednesday");
    b.seconds(2);
    assert_eq!(b.time(), [0, 0, 0, 5, 0x29, 0x02, 0x24, 0x20], "a leap day");
}

#[test]
fn a_single_register_can_be_written_while_the_clock_runs() {
    let mut b = Bench::new();
    b.put(MINUTE, 0x45);
    b.seconds(1);
    assert_eq!(b.time(), [0x16, 0x45, 0x18, 2, 0x23, 0x11, 0x26, 0x20]);
}

#[test]
fn update_in_progress_comes_just_before_each_second() {
    let mut b = Bench::new();
    assert_eq!(b.get(REG_A), 0x26);
    b.hand.advance(Duration::from_micros(999_755));
    assert_eq!(b.get(REG_A), 0x26);
    b.hand.advance(Duration::from_micros(1));
    assert_eq!(b.get(REG_A), 0xa6);
    b.put(REG_B, REG_B_SET | REG_B_24_HOUR);
    assert_eq!(b.get(REG_A), 0x26, "no updates while the time is held");
    b.put(REG_B, REG_B_24_HOUR);
    b.hand.advance(Duration::from_micros(244));
    assert_eq!((b.get(REG_A), b.get(SECOND)), (0x26, 0x16));
}

#[test]
fn update_ended_interrupts_once_until_register_c_is_read() {
    let mut b = Bench::new();
    assert_eq!(b.rtc.next_event(), None);
    b.put(REG_B, REG_B_24_HOUR | REG_B_UPDATE);
    b.hand.advance(Duration::from_millis(250));
    assert_eq!(b.rtc.next_event(), Some(Duration::from_millis(750)));
    b.hand.advance(Duration::from_millis(750));
    b.rtc.tick();
    b.seconds(1);
    b.rtc.tick();
    assert_eq!((b.irq.count(), b.rtc.next_event()), (1, None), "the line is up already");
    assert_eq!(b.get(REG_C), REG_C_INTERRUPT | REG_B_UPDATE);
    assert_eq!(b.get(REG_C), 0);
    b.seconds(1);
    b.rtc.tick();
    assert_eq!(b.irq.count(), 2);
}

#[test]
fn flags_are_set_without_being_enabled_and_interrupt_when_they_become_so() {
    let mut b = Bench::new();
    b.seconds(1);
    b.rtc.tick();
    assert_eq!(b.irq.count(), 0);
    b.put(REG_B, REG_B_24_HOUR | REG_B_UPDATE);
    assert_eq!(b.irq.count(), 1);
}

#[test]
fn the_alarm_rings_at_its_time() {
    let mut b = Bench::new();
    for (register, value) in [(HOUR_ALARM, 0x19), (MINUTE_ALARM, 0x00), (SECOND_ALARM, 0x05)] {
        b.put(register, value);
    }
    b.put(REG_B, REG_B_24_HOUR | REG_B_ALARM);
    let wait = b.rtc.next_event().unwrap();
    assert_eq!(wait, Duration::from_secs(29 * 60 + 50));
    b.hand.advance(wait - Duration::from_nanos(1));
    b.rtc.tick();
    assert_eq!(b.irq.count(), 0);
    b.hand.advance(Duration::from_nanos(1));
    b.rtc.tick();
    assert_eq!(b.irq.count(), 1);
    assert_eq!(b.get(REG_C), REG_C_INTERRUPT | REG_B_ALARM | REG_B_UPDATE);
    assert_eq!(b.rtc.next_event(), Some(Duration::from_secs(86_400)));
}

#[test]
fn an_alarm_that_was_slept_through_rings_late() {
    let mut b = Bench::new();
    b.put(HOUR_ALARM, 0xff);
    b.put(MINUTE_ALARM, 0xff);
    b.put(SECOND_ALARM, 0x30);
    b.put(REG_B, REG_B_24_HOUR | REG_B_ALARM);
    b.seconds(1_000_000);
    assert_eq!(b.rtc.next_event(), Some(Duration::ZERO));
    b.rtc.tick();
    assert_eq!(b.irq.count(), 1);
}

#[test]
fn a_host_clock_that_is_set_back_rings_nothing() {
    let mut b = Bench::new();
    b.put(REG_B, REG_B_24_HOUR | REG_B_ALARM | REG_B_UPDATE);
    b.hand.set_back(Duration::from_secs(3600));
    b.rtc.tick();
    assert_eq!(b.irq.count(), 0);
    assert_eq!(b.rtc.next_event(), Some(Duration::from_secs(1)));
}

#[test]
fn memory_keeps_its_bytes_and_a_reset_keeps_the_time() {
    let mut b = Bench::new();
    for register in (0x0e..0x80).filter(|r| *r != CENTURY) {
        b.put(register, !register);
    }
    b.put(0x80 | 0x0f, 7);
    b.put(YEAR, 0x99);
    b.put(REG_B, REG_B_24_HOUR | REG_B_UPDATE);
    b.rtc.reset();
    assert_eq!((b.get(REG_B), b.get(0x7f), b.get(0x0f)), (REG_B_24_HOUR, 0x80, 7));
    assert_eq!((b.get(YEAR), b.get(REG_D)), (0x99, REG_D_VALID));
}

#[test]
fn the_index_port_reads_as_nothing_and_wide_reads_are_filled() {
    let mut bytes = [0; 8];
    Bench::new().rtc.read(0, &mut bytes);
    assert_eq!(bytes, [0xff, 0x15, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
}

#[test]
fn forged_states_are_refused() {
    let mut b = Bench::new();
    let good = b.rtc.save();
    for (bad, field) in [
        (RtcState { index: 128, ..good.clone() }, "index"),
        (RtcState { cmos: vec![], ..good.clone() }, "cmos"),
        (RtcState { offset: i64::MIN, ..good.clone() }, "offset"),
        (RtcState { last_update: i64::MAX, ..good.clone() }, "last_update"),
        (RtcState { flags: 0x80, ..good.clone() }, "flags"),
        (RtcState { held: Some([0; 8]), ..good.clone() }, "held"),
    ] {
        let error = b.rtc.restore(&bad).unwrap_err().to_string();
        assert!(error.contains(field), "{error}");
    }
    assert_eq!(b.rtc.save(), good);
}

#[derive(Clone, Debug)]
enum Step {
    Read(u8),
    Write(u8, u8),
    Raw(u64, [u8; 4]),
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let register = || prop_oneof![3 => 0u8..0x0e, 1 => Just(CENTURY), 1 => any::<u8>()];
    let step = prop_oneof![
        4 => register().prop_map(Step::Read),
        4 => (register(), any::<u8>()).prop_map(|(register, value)| Step::Write(register, value)),
        1 => any::<(u64, [u8; 4])>().prop_map(|(offset, bytes)| Step::Raw(offset, bytes)),
        2 => (0u64..200_000_000_000_000).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 0..100)
}

impl Bench {
    /// Gives the guest's answer; `Wait` only ticks, as the hand may be shared.
    fn take(&mut self, step: &Step) -> u8 {
        match step {
            Step::Read(register) => return self.get(*register),
            Step::Write(register, value) => self.put(*register, *value),
            Step::Raw(offset, bytes) => {
                self.rtc.write(*offset, bytes);
            }
            Step::Wait(_) => self.rtc.tick(),
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
            if let Step::Wait(nanos) = step {
                original.hand.advance(Duration::from_nanos(*nanos));
            }
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

    #[test]
    fn the_next_event_is_when_the_interrupt_comes(steps in steps()) {
        let mut b = Bench::new();
        for step in &steps {
            if let Step::Wait(nanos) = step {
                b.hand.advance(Duration::from_nanos(*nanos));
            }
            b.take(step);
        }
        b.await_next_event();
    }
}
