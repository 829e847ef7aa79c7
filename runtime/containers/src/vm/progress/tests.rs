//! The rule over any sequence of looks, and looks at real processes.

use std::process::{Child, Command};

use proptest::prelude::*;
use rustix::process::{Pid, Signal, kill_process};

use super::*;

const LIMITS: Limits = Limits { work: Duration::from_secs(300), sleep: 60 };

/// What a VM did between two looks.
#[derive(Clone, Copy, Debug)]
struct Step {
    milliseconds: u64,
    faults: u64,
    asleep: bool,
}

/// Anything; mostly little.
fn step() -> impl Strategy<Value = Step> {
    let milliseconds = prop_oneof![0..50u64, 0..2000u64];
    (milliseconds, prop_oneof![Just(0), 0..3u64], any::<bool>())
        .prop_map(|(milliseconds, faults, asleep)| Step { milliseconds, faults, asleep })
}

/// The first verdict over these, one thread doing it all, and at which of them it came.
fn verdict(steps: impl IntoIterator<Item = Step>) -> Option<(usize, Hopeless)> {
    let (mut judge, mut sample) = (Judge::new(LIMITS), Sample::default());
    steps.into_iter().enumerate().find_map(|(at, step)| {
        sample.total += Duration::from_millis(step.milliseconds);
        sample.busiest = sample.total;
        sample.faults += step.faults;
        sample.asleep = step.asleep;
        Some((at, judge.look(sample)?))
    })
}

proptest! {
    #[test]
    fn it_comes_with_the_work_or_the_sleep_and_never_before(steps in prop::collection::vec(step(), 0..1000)) {
        let (mut worked, mut slept) = (0, 0);
        let expected = steps.iter().enumerate().find_map(|(at, step)| {
            worked += step.milliseconds;
            slept += u32::from(step.asleep && step.milliseconds < 50 && step.faults == 0);
            match () {
                () if worked >= 300_000 => Some((at, Hopeless::Works(LIMITS.work))),
                () if slept >= 60 => Some((at, Hopeless::Sleeps(Duration::from_secs(60)))),
                () => None,
            }
        });
        prop_assert_eq!(verdict(steps), expected);
    }

    /// Waiting for a processor, for a disk, or stopped: however long, and however little it gets meanwhile.
    #[test]
    fn who_is_kept_waiting_is_never_given_up(
        steps in prop::collection::vec((0..200u64, any::<bool>()), 0..1000)
    ) {
        let steps = steps.into_iter().map(|(milliseconds, faults)| Step {
            milliseconds,
            faults: u64::from(faults),
            asleep: faults,
        });
        prop_assert_eq!(verdict(steps), None);
    }
}

#[test]
fn a_boot_that_is_five_times_slower_than_the_slowest_is_not_given_up() {
    // The slowest seen: an emulated host on a busy machine, 8 s.
    let works = Step { milliseconds: 1000, faults: 0, asleep: false };
    let waits = Step { milliseconds: 10, faults: 0, asleep: true };
    assert_eq!(verdict([works; 40].into_iter().chain([waits; 20])), None);
    assert_eq!(verdict([waits; 60]), Some((59, Hopeless::Sleeps(Duration::from_secs(60)))));
    assert_eq!(verdict([works; 300]), Some((299, Hopeless::Works(Duration::from_secs(300)))));
}

#[test]
fn a_slow_kvm_gets_ten_times_as_long() {
    let slow = Limits::of(Some(&Kvm::Slow("a loop".to_owned())));
    assert_eq!(slow.work, 10 * Limits::of(Some(&Kvm::Linux)).work);
    assert_eq!(Limits::of(None).work, LIMITS.work);
}

#[test]
fn threads_are_added_up_whatever_their_names() {
    let stat = |name: &str, state: &str, faults, user, system| {
        format!(
            "7 ({name}) {state} 1 7 7 0 -1 4194304 90 0 {faults} 0 {user} {system} 0 0 20 0 3 0 1 2 3"
        )
    };
    let mut sample = Sample { asleep: true, ..Sample::default() };
    sample.add(&stat("vcpu0", "S", 3, 150, 50)).unwrap();
    assert!(sample.asleep);
    sample.add(&stat(") R 1 (x", "D", 4, 100, 0)).unwrap();
    let (busiest, total) = (Duration::from_secs(2), Duration::from_secs(3));
    assert_eq!(sample, Sample { busiest, total, faults: 7, asleep: false });
    for wrong in ["", "7 (x) ", "7 (x) S 1 2", "7 (x) S 1 7 7 0 -1 0 90 0 x 0 1 1"] {
        assert!(sample.add(wrong).is_none(), "{wrong}");
    }
}

/// A process of the test's own.
struct Process(Child);

impl Process {
    fn shell(script: &str) -> Self {
        Self(Command::new("sh").args(["-c", script]).spawn().unwrap())
    }

    fn look(&self) -> Sample {
        Sample::of(self.0.id()).unwrap()
    }

    /// Looks until that is so.
    fn until(&self, is_so: impl Fn(Sample) -> bool) {
        while !is_so(self.look()) {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn one_that_works_one_that_sleeps_and_one_that_was_stopped() {
    let works = Process::shell("while :; do :; done");
    works.until(|sample| !sample.asleep && sample.busiest >= Duration::from_millis(100));
    let sleeps = Process::shell("exec sleep 1000");
    sleeps.until(|sample| sample.asleep);
    kill_process(Pid::from_child(&sleeps.0), Signal::STOP).unwrap();
    sleeps.until(|sample| !sample.asleep);
    kill_process(Pid::from_child(&sleeps.0), Signal::CONT).unwrap();
    sleeps.until(|sample| sample.asleep);
    let gone = Process::shell("exit");
    let number = gone.0.id();
    drop(gone);
    assert!(Sample::of(number).is_err());
}
