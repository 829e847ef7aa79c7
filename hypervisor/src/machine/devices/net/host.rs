//! A back end in an epoll set of its own, with a timer for its limits and one for its report: the set is one member of the event loop's.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use devices::virtio::net::{Backend, Refusal, Sent, Waits};
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;
use vm_memory::VolatileSlice;

use super::alarm::{self, Alarm};
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
const LIMITS: u64 = 1;
const REPORT: u64 = 2;

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
    alarm: Alarm,
    waits: Waits,
}

impl HostBackend {
    /// With nothing that is waited for.
    pub fn new(end: End) -> io::Result<(HostBackend, Events)> {
        let epoll = Arc::new(epoll::create(epoll::CreateFlags::CLOEXEC)?);
        let alarm = Alarm::new(&epoll, LIMITS)?;
        let events = Events { epoll: Arc::clone(&epoll), events: Vec::with_capacity(3) };
        Ok((HostBackend { end: Some(end), epoll, alarm, waits: Waits::default() }, events))
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
        self.waits = waits;
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
            End::Stream(stream) => {
                stream.start();
                Ok(())
            }
        })
    }

    /// A stream may take a part of a frame, whose rest has to be kept, and gives several at once.
    fn reaches_guest_memory(&self) -> bool {
        matches!(self.end, Some(End::Tap(_)))
    }

    fn send(&mut self, packet: &mut [u8], rest: &[VolatileSlice<'_>]) -> Result<Sent, Refusal> {
        self.with_end(|end| match end {
            End::Tap(tap) => tap.send(packet, rest),
            End::Stream(stream) => stream.send(packet),
        })
    }

    fn flush(&mut self) -> Result<(), Refusal> {
        self.with_end(|end| match end {
            End::Tap(_) => Ok(()),
            End::Stream(stream) => stream.flush(),
        })
    }

    fn receive(&mut self, packet: &mut [u8], lent: &[VolatileSlice<'_>]) -> Result<usize, Refusal> {
        self.with_end(|end| match end {
            End::Tap(tap) => tap.receive(packet, lent),
            End::Stream(stream) => stream.receive(packet),
        })
    }

    fn has_packets(&self) -> bool {
        matches!(&self.end, Some(End::Stream(stream)) if stream.has_answers())
    }

    fn now(&self) -> Duration {
        alarm::now()
    }

    fn wait_for(&mut self, waits: Waits) {
        self.poll(waits);
        self.alarm.set(waits.until);
    }
}

impl Events {
    /// One more of them: a time to tell what has happened.
    pub fn report_alarm(&self) -> io::Result<Alarm> {
        Alarm::new(&self.epoll, REPORT)
    }

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
