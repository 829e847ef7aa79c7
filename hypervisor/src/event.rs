//! What the main thread waits for: one epoll set for the whole VM.

pub mod signals;
mod wake;

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};

pub use signals::Signals;
pub use wake::Wake;

/// What became readable. It travels through the kernel as the 64 bits that go with a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// SIGTERM or SIGINT.
    Signal,
    /// A vCPU has something to say: a reason to stop, or room for console input.
    Wake,
    /// Console input.
    Input,
    /// The clock's next event is due.
    Clock,
    /// What a device waits for on the host's behalf.
    Device(
        /// The device's place in the machine.
        u16,
    ),
    /// The guest notified a queue of a virtio device.
    Queue {
        /// The device's place in the machine.
        device: u16,
        queue: u16,
    },
}

impl Source {
    fn pack(self) -> u64 {
        match self {
            Source::Signal => 0,
            Source::Wake => 1,
            Source::Input => 2,
            Source::Clock => 3,
            Source::Device(device) => 4 | u64::from(device) << 16,
            Source::Queue { device, queue } => 5 | u64::from(device) << 16 | u64::from(queue) << 32,
        }
    }

    fn unpack(bits: u64) -> Source {
        match bits as u16 {
            0 => Source::Signal,
            1 => Source::Wake,
            2 => Source::Input,
            3 => Source::Clock,
            4 => Source::Device((bits >> 16) as u16),
            _ => Source::Queue { device: (bits >> 16) as u16, queue: (bits >> 32) as u16 },
        }
    }
}

/// The epoll set.
pub struct Poll {
    epoll: OwnedFd,
    events: Vec<epoll::Event>,
}

/// Most events that one call fetches; what is left comes with the next.
const BATCH: usize = 16;

impl Poll {
    /// An empty set.
    pub fn new() -> io::Result<Poll> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        Ok(Poll { epoll, events: Vec::with_capacity(BATCH) })
    }

    /// Waits for `fd` to become readable, from now on.
    pub fn add(&self, fd: impl AsFd, source: Source) -> io::Result<()> {
        self.add_with(fd, source, epoll::EventFlags::IN)
    }

    /// Waits for an event descriptor, from now on, that nobody reads: each write to it is told, or several at once.
    pub fn add_unread(&self, fd: impl AsFd, source: Source) -> io::Result<()> {
        self.add_with(fd, source, epoll::EventFlags::IN | epoll::EventFlags::ET)
    }

    fn add_with(&self, fd: impl AsFd, source: Source, flags: epoll::EventFlags) -> io::Result<()> {
        let data = epoll::EventData::new_u64(source.pack());
        Ok(epoll::add(&self.epoll, fd, data, flags)?)
    }

    /// No longer waits for `fd`.
    pub fn remove(&self, fd: impl AsFd) -> io::Result<()> {
        Ok(epoll::delete(&self.epoll, fd)?)
    }

    /// Waits until something is readable, or for as long as `timeout` says, and gives what is.
    pub fn wait(&mut self, ready: &mut Vec<Source>, timeout: Option<Duration>) -> io::Result<()> {
        self.events.clear();
        let timeout = timeout.map(|time| Timespec {
            tv_sec: time.as_secs() as i64,
            tv_nsec: time.subsec_nanos().into(),
        });
        match epoll::wait(&self.epoll, spare_capacity(&mut self.events), timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        ready.clear();
        ready.extend(self.events.iter().map(|event| Source::unpack({ event.data }.u64())));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_survives_its_way_through_the_kernel() {
        let sources = [
            Source::Signal,
            Source::Wake,
            Source::Input,
            Source::Clock,
            Source::Device(0),
            Source::Device(u16::MAX),
            Source::Queue { device: 0, queue: 0 },
            Source::Queue { device: 15, queue: 2 },
            Source::Queue { device: u16::MAX, queue: u16::MAX },
        ];
        for source in sources {
            assert_eq!(Source::unpack(source.pack()), source);
        }
    }

    #[test]
    fn only_what_is_readable_is_reported() {
        let mut poll = Poll::new().unwrap();
        let (quiet, loud) = (Wake::new().unwrap(), Wake::new().unwrap());
        poll.add(&quiet, Source::Clock).unwrap();
        poll.add(&loud, Source::Wake).unwrap();
        loud.wake();
        let mut ready = Vec::new();
        poll.wait(&mut ready, None).unwrap();
        assert_eq!(ready, [Source::Wake]);
        loud.clear();
        poll.remove(&loud).unwrap();
        loud.wake();
        quiet.wake();
        poll.wait(&mut ready, None).unwrap();
        assert_eq!(ready, [Source::Clock]);
    }

    #[test]
    fn each_write_to_what_nobody_reads_is_reported_once() {
        let mut poll = Poll::new().unwrap();
        let wake = Wake::new().unwrap();
        wake.wake();
        poll.add_unread(&wake, Source::Wake).unwrap();
        let mut ready = Vec::new();
        for expected in [&[Source::Wake][..], &[]] {
            poll.wait(&mut ready, Some(Duration::ZERO)).unwrap();
            assert_eq!(ready, expected);
        }
        for _ in 0..2 {
            wake.wake();
            poll.wait(&mut ready, None).unwrap();
            assert_eq!(ready, [Source::Wake]);
        }
    }
}
