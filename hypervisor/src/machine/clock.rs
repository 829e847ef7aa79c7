//! The guest's clock on the host's: time of day, and a timer for its alarm.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, SystemTime};

use devices::fixed::clock::{Clock, RealTimeClock};
use devices::{Outcome, Registers};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

/// The host's time of day.
pub struct HostClock;

impl Clock for HostClock {
    fn since_epoch(&self) -> Duration {
        // Before 1970 there is no host.
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
    }
}

/// The clock with a timer that always runs out at its next event.
///
/// Any access of the guest's may change what that event is, and accesses are rare, so each sets
/// the timer.
pub struct TimedClock {
    clock: Box<dyn RealTimeClock>,
    timer: OwnedFd,
    armed: bool,
}

impl TimedClock {
    /// With a timer that does not run yet.
    pub fn new(clock: Box<dyn RealTimeClock>) -> io::Result<TimedClock> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let timer = timerfd_create(TimerfdClockId::Realtime, flags)?;
        Ok(TimedClock { clock, timer, armed: false })
    }

    /// The timer ran out.
    pub fn due(&mut self) {
        // Fails only if the timer was set anew meanwhile.
        let _ = rustix::io::read(&self.timer, &mut [0; 8]);
        self.clock.tick();
        self.arm();
    }

    fn arm(&mut self) {
        let next = self.clock.next_event();
        if next.is_none() && !self.armed {
            return;
        }
        // A time of 0 would stop the timer.
        let wait = next.map_or(Duration::ZERO, |wait| wait.max(Duration::from_nanos(1)));
        let value = Timespec { tv_sec: wait.as_secs() as i64, tv_nsec: wait.subsec_nanos().into() };
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        let spec = Itimerspec { it_interval: zero, it_value: value };
        match timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &spec) {
            Ok(_) => self.armed = next.is_some(),
            Err(error) => log::warn!("the clock's alarm cannot be set: {error}"),
        }
    }
}

impl Registers for TimedClock {
    fn read(&mut self, offset: u64, data: &mut [u8]) {
        self.clock.read(offset, data);
        self.arm();
    }

    fn write(&mut self, offset: u64, data: &[u8]) -> Outcome {
        let outcome = self.clock.write(offset, data);
        self.arm();
        outcome
    }
}

impl AsFd for TimedClock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.timer.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use devices::Interrupt;
    use devices::fixed::rtc::Rtc;
    use rustix::event::{PollFd, PollFlags, poll};

    use super::*;

    struct Counter(Arc<AtomicUsize>);

    impl Interrupt for Counter {
        fn raise(&self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Register B's update-ended interrupt (MC146818A datasheet) comes at the next full second.
    #[test]
    fn the_timer_runs_out_at_the_clocks_next_event() {
        let interrupts = Arc::new(AtomicUsize::new(0));
        let rtc = Rtc::new(Box::new(HostClock), Box::new(Counter(interrupts.clone())));
        let mut clock = TimedClock::new(Box::new(rtc)).unwrap();
        clock.write(0, &[0x0b]);
        clock.write(1, &[0x12]);
        let second = Timespec { tv_sec: 3, tv_nsec: 0 };
        let mut fds = [PollFd::new(&clock.timer, PollFlags::IN)];
        assert_eq!(poll(&mut fds, Some(&second)).unwrap(), 1);
        clock.due();
        assert_eq!(interrupts.load(Ordering::SeqCst), 1);
        assert!(!clock.armed, "the interrupt is pending until the guest reads register C");
    }
}
