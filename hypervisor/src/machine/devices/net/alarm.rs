//! A time at which an epoll set is readable.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::{Timespec, epoll};
use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, clock_gettime,
    timerfd_create, timerfd_settime,
};

/// The time since the host was started, with that in which it slept: names and limits move on meanwhile.
pub fn now() -> Duration {
    let now = clock_gettime(ClockId::Boottime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// A timer, set to a time of [`now`] or to none.
pub struct Alarm {
    timer: OwnedFd,
    until: Option<Duration>,
}

impl Alarm {
    /// Adds one that is not set, as this member of the set.
    pub fn new(set: &OwnedFd, member: u64) -> io::Result<Alarm> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let timer = timerfd_create(TimerfdClockId::Boottime, flags)?;
        epoll::add(set, &timer, epoll::EventData::new_u64(member), epoll::EventFlags::IN)?;
        // Who reads a clock for the first time finds out how, by calls that are forbidden later.
        now();
        Ok(Alarm { timer, until: None })
    }

    /// Sets it to another time, or to none. The set is readable from then on until this is called again.
    pub fn set(&mut self, until: Option<Duration>) {
        if self.until == until {
            return;
        }
        self.until = until;
        // A time of 0 would stop the timer.
        let until = until.map_or(Duration::ZERO, |until| until.max(Duration::from_nanos(1)));
        // A limit may let the next one go only in centuries.
        let seconds = i64::try_from(until.as_secs()).unwrap_or(i64::MAX);
        let it_value = Timespec { tv_sec: seconds, tv_nsec: until.subsec_nanos().into() };
        let it_interval = Timespec { tv_sec: 0, tv_nsec: 0 };
        let spec = Itimerspec { it_interval, it_value };
        // timerfd_settime(2): fails only for a descriptor or a time that is none.
        let _ = timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &spec);
    }
}
