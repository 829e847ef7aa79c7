//! Ticks, for as long as somebody waits for them.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use devices::limits::REQUEST_TICK;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

/// Readable one [`REQUEST_TICK`] after it was started.
pub struct Timer {
    timer: OwnedFd,
    runs: bool,
}

impl Timer {
    /// One that does not run.
    pub fn new() -> io::Result<Timer> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        Ok(Timer { timer: timerfd_create(TimerfdClockId::Monotonic, flags)?, runs: false })
    }

    /// Starts it, unless it runs.
    pub fn start(&mut self) {
        if !std::mem::replace(&mut self.runs, true) {
            self.set(Timespec {
                tv_sec: REQUEST_TICK.as_secs() as i64,
                tv_nsec: REQUEST_TICK.subsec_nanos().into(),
            });
        }
    }

    /// Stops it; it is not readable any more.
    pub fn stop(&mut self) {
        self.runs = false;
        self.set(Timespec { tv_sec: 0, tv_nsec: 0 });
    }

    fn set(&self, it_value: Timespec) {
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        let spec = Itimerspec { it_interval: zero, it_value };
        // timerfd_settime(2): fails only for a descriptor or a time that is none.
        let _ = timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &spec);
    }
}

impl AsFd for Timer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.timer.as_fd()
    }
}
