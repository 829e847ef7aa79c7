use super::*;

/// QEMU after so much work and waiting.
fn activity(work_ms: u64, waiting_ms: u64, asleep: bool) -> Activity {
    let [work, waiting] = [work_ms, waiting_ms].map(Duration::from_millis);
    Activity { work, waiting, asleep }
}

/// The verdict after `periods` questions without an answer, of which each costs so much work and waiting.
fn unanswered(periods: u64, work_ms: u64, waiting_ms: u64, asleep: bool) -> Option<StandStill> {
    let mut judge = Judge::default();
    let after = |period| activity(period * work_ms, period * waiting_ms, asleep);
    judge.answered(after(0), Beat { own: 7 }, after(0));
    assert_eq!(judge.period_ended(after(0), after(0)), None);
    (0..periods).find_map(|period| judge.period_ended(after(period), after(period + 1)))
}

#[test]
fn a_host_that_sleeps_through_every_question_stands_still() {
    assert_eq!(unanswered(14, 1, 0, true), None);
    assert_eq!(unanswered(15, 1, 0, true), Some(StandStill::Idle(Duration::from_secs(15))));
}

#[test]
fn a_host_that_works_without_an_answer_stands_still_by_its_work_not_by_time() {
    assert_eq!(unanswered(59, 1000, 0, false), None);
    assert_eq!(unanswered(60, 1000, 0, false), Some(StandStill::Busy(Duration::from_secs(60))));
    // A machine that gives it a tenth of a processor.
    assert_eq!(unanswered(500, 100, 900, false), None);
}

#[test]
fn a_host_without_a_processor_or_stopped_is_no_standstill() {
    assert_eq!(unanswered(10_000, 0, 1000, true), None);
    assert_eq!(unanswered(10_000, 0, 0, false), None);
}

#[test]
fn an_answer_begins_anew() {
    let mut judge = Judge::default();
    let idle = activity(0, 0, true);
    for _ in 0..3 {
        for _ in 0..14 {
            assert_eq!(judge.period_ended(idle, idle), None);
        }
        assert!(!judge.answered(idle, Beat { own: 0 }, idle));
        assert_eq!(judge.period_ended(idle, idle), None);
    }
}

#[test]
fn a_host_whose_timer_fails_until_it_is_asked_has_lost_an_interrupt() {
    let mut judge = Judge::default();
    let mut period = |own, asked| {
        let lost = judge.answered(asked, Beat { own }, asked);
        assert_eq!(judge.period_ended(asked, asked), None);
        lost
    };
    assert!(!period(0, activity(0, 0, true)));
    assert!(!period(4, activity(1, 0, true)));
    assert!(period(4, activity(2, 0, true)), "it slept for a whole period");
    assert!(!period(8, activity(3, 0, true)));
    assert!(!period(8, activity(3, 900, true)), "it had no processor");
    assert!(!period(8, activity(4, 900, false)), "it works");
}
