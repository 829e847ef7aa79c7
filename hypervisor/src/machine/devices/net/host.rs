//! A back end in an epoll set of its own, with a timer for its limits: the set is one member of the event loop's.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use devices::virtio::net::{Backend, Refusal, Waits};
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;
use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, clock_gettime,
    timerfd_create, timerfd_settime,
};

use super::stream::Stream;
use super::tap::Tap;

/// What the frames go through.
pub enum End {
    /// An interface of the host's kernel.
    Tap(Tap),
    /// A program.
    Stream(Stream),
}

/// The members of the set.
const END: u64 = 0;
const TIMER: u64 = 1;

/// What the event loop waits for: readable when there is something to do.
pub struct Events {
    epoll: Arc<OwnedFd>,
    events: Vec<epoll::Event>,
}

/// The back end of a device.
pub struct HostBackend {
    /// `None`: it is gone.
    end: Option<End>,
    epoll: Arc<OwnedFd>,
    timer: OwnedFd,
    waits: Waits,
}

impl HostBackend {
    /// With nothing that is waited for.
    pub fn new(end: End) -> io::Result<(HostBackend, Events)> {
        let epoll = Arc::new(epoll::create(epoll::CreateFlags::CLOEXEC)?);
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        epoll::add(&*epoll, &timer, epoll::EventData::new_u64(TIMER), epoll::EventFlags::IN)?;
        let events = Events { epoll: Arc::clone(&epoll), events: Vec::with_capacity(2) };
        Ok((HostBackend { end: Some(end), epoll, timer, waits: Waits::default() }, events))
    }

    /// Has the end do something. One that is gone is closed, so that a program at its other side ends, and was not
    /// there any more from then on.
    fn with_end<R>(
        &mut self,
        f: impl FnOnce(&mut End) -> Result<R, Refusal>,
    ) -> Result<R, Refusal> {
        let end = self.end.as_mut().ok_or(Refusal::Gone)?;
        let result = f(end);
        if matches!(result, Err(Refusal::Gone)) {
            // Whoever handed the descriptor over may still have it: it does not leave the set by being closed.
            self.poll(Waits::default());
            self.end = None;
        }
        result
    }

    fn poll(&mut self, waits: Waits) {
        let Some(end) = &self.end else { return };
        let (before, after) = (flags(self.waits), flags(waits));
        let data = epoll::EventData::new_u64(END);
        let result = match (before, after) {
            (before, after) if before == after => Ok(()),
            (None, Some(flags)) => epoll::add(&*self.epoll, end, data, flags),
            (_, Some(flags)) => epoll::modify(&*self.epoll, end, data, flags),
            // Out of the set: a hang-up would be reported whatever the flags.
            (_, None) => epoll::delete(&*self.epoll, end),
        };
        if let Err(error) = result {
            // Only the kernel's want of memory makes one fail. The link then stands still until it waits for
            // something else.
            log::debug!("epoll_ctl of a network interface: {error}");
        }
        self.waits = Waits { until: self.waits.until, ..waits };
    }

    fn set_timer(&mut self, until: Option<Duration>) {
        if self.waits.until == until {
            return;
        }
        self.waits.until = until;
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

/// What of it is polled for; `None`: not even a hang-up.
fn flags(waits: Waits) -> Option<epoll::EventFlags> {
    let mut flags = epoll::EventFlags::empty();
    flags.set(epoll::EventFlags::IN, waits.readable);
    flags.set(epoll::EventFlags::OUT, waits.writable);
    (!flags.is_empty() || waits.hang_up).then_some(flags)
}

impl Backend for HostBackend {
    fn offloads(&self) -> u64 {
        match &self.end {
            Some(End::Tap(tap)) => tap.offloads(),
            _ => 0,
        }
    }

    fn start(&mut self, offloads: u64) -> Result<(), Refusal> {
        self.with_end(|end| match end {
            End::Tap(tap) => tap.set_offloads(offloads).map_err(|error| {
                log::debug!("TUNSETOFFLOAD: {error}");
                Refusal::Gone
            }),
            End::Stream(_) => Ok(()),
        })
    }

    fn send(&mut self, packet: &mut [u8]) -> Result<(), Refusal> {
        self.with_end(|end| match end {
            End::Tap(tap) => tap.send(packet),
            End::Stream(stream) => stream.send(packet),
        })
    }

    fn flush(&mut self) -> Result<(), Refusal> {
        self.with_end(|end| match end {
            End::Tap(_) => Ok(()),
            End::Stream(stream) => stream.flush(),
        })
    }

    fn receive(&mut self, packet: &mut [u8]) -> Result<usize, Refusal> {
        self.with_end(|end| match end {
            End::Tap(tap) => tap.receive(packet),
            End::Stream(stream) => stream.receive(packet),
        })
    }

    fn now(&self) -> Duration {
        let now = clock_gettime(ClockId::Monotonic);
        Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
    }

    fn wait_for(&mut self, waits: Waits) {
        self.poll(waits);
        self.set_timer(waits.until);
    }
}

impl Events {
    /// Whether one of them is that the other end has hung up.
    pub fn hung_up(&mut self) -> io::Result<bool> {
        self.events.clear();
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        match epoll::wait(&*self.epoll, spare_capacity(&mut self.events), Some(&at_once)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let gone = epoll::EventFlags::HUP | epoll::EventFlags::ERR;
        let mut events = self.events.iter();
        Ok(events.any(|event| { event.data }.u64() == END && { event.flags }.intersects(gone)))
    }
}

impl AsFd for Events {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

impl AsFd for End {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            End::Tap(tap) => tap.as_fd(),
            End::Stream(stream) => stream.as_fd(),
        }
    }
}
