//! The host of a socket device, in memory: streams whose readers and writers the test plays. It sees whether the device
//! keeps its promises.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::virtio::vsock::{Backend, ConnectionId, Interest, Vsock};

/// One stream, as the host's program sees it.
#[derive(Default)]
pub struct Stream {
    /// Which connection's it is, once the device has said so.
    pub id: Option<ConnectionId>,
    /// Written by the program, not yet taken by the device.
    pub to_guest: VecDeque<u8>,
    /// The program writes no more.
    pub eof: bool,
    /// Reads fail after what `to_guest` holds.
    pub failed: bool,
    /// All that the device wrote.
    pub from_guest: Vec<u8>,
    /// How many bytes the stream takes before it would block.
    pub room: usize,
    /// The program reads no more.
    pub broken: bool,
    /// The device said that no more will come.
    pub ended: bool,
    /// The device dropped its end.
    pub dropped: bool,
    /// What the device waits for.
    pub interest: Interest,
}

impl Stream {
    /// The program closes its end.
    pub fn leave(&mut self) {
        (self.eof, self.broken) = (true, true);
    }

    /// What a level-triggered poll finds.
    fn ready(&self) -> Option<(ConnectionId, Interest)> {
        let over = self.eof || self.failed;
        let ready = Interest {
            readable: self.interest.readable && (over || !self.to_guest.is_empty()),
            writable: self.interest.writable && (self.broken || self.room > 0),
            hang_up: self.interest.hang_up && self.eof && self.broken,
        };
        (ready != Interest::default()).then(|| (self.id.expect("it came with the interest"), ready))
    }
}

/// What there is on the host.
pub struct World {
    /// All streams that there ever were.
    pub streams: Vec<Stream>,
    /// Whether a port that the guest asks for is refused.
    pub refuses: fn(port: u32) -> bool,
    /// Room of new streams, in bytes.
    pub room: usize,
}

/// The back end, and the test's access to it; clones share one world.
#[derive(Clone)]
pub struct Host(Arc<Mutex<World>>);

/// The device's end of a stream.
pub struct End {
    index: usize,
    host: Host,
}

impl Drop for End {
    fn drop(&mut self) {
        let stream = &mut self.host.world().streams[self.index];
        stream.dropped = true;
        stream.interest = Interest::default();
    }
}

impl Host {
    /// One that refuses nothing, whose streams have so much room at first, in bytes.
    pub fn with_room(room: usize) -> Self {
        Self(Arc::new(Mutex::new(World { streams: Vec::new(), refuses: |_| false, room })))
    }

    /// All there is, for the test to look at and to change.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a program does that opens the socket and says `CONNECT port`.
    pub fn open(&self) -> End {
        let mut world = self.world();
        let room = world.room;
        world.streams.push(Stream { room, ..Stream::default() });
        End { index: world.streams.len() - 1, host: self.clone() }
    }

    /// How many streams the device holds.
    pub fn held(&self) -> usize {
        self.world().streams.iter().filter(|stream| !stream.dropped).count()
    }

    /// One round of a level-triggered poll; says how many streams were ready.
    pub fn poll(&self, vsock: &mut Vsock<Self>) -> usize {
        let ready: Vec<_> = self.world().streams.iter().filter_map(Stream::ready).collect();
        for (id, ready) in &ready {
            vsock.stream_ready(*id, *ready);
        }
        ready.len()
    }
}

impl Backend for Host {
    type Stream = End;

    fn connect(&mut self, port: u32, id: ConnectionId) -> io::Result<End> {
        let refuses = self.world().refuses;
        if refuses(port) {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let end = self.open();
        self.world().streams[end.index].id = Some(id);
        Ok(end)
    }

    fn read(&mut self, end: &mut End, buf: &mut [u8]) -> io::Result<usize> {
        assert!(!buf.is_empty());
        let stream = &mut self.world().streams[end.index];
        let len = buf.len().min(stream.to_guest.len());
        for (to, from) in buf.iter_mut().zip(stream.to_guest.drain(..len)) {
            *to = from;
        }
        match len {
            0 if stream.failed => Err(io::ErrorKind::ConnectionReset.into()),
            0 if !stream.eof => Err(io::ErrorKind::WouldBlock.into()),
            len => Ok(len),
        }
    }

    fn write(&mut self, end: &mut End, buf: &[u8]) -> io::Result<usize> {
        assert!(!buf.is_empty());
        let stream = &mut self.world().streams[end.index];
        assert!(!stream.ended, "nothing is written after the end");
        if stream.broken {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let len = buf.len().min(stream.room);
        if len == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        stream.room -= len;
        stream.from_guest.extend(&buf[..len]);
        Ok(len)
    }

    fn shutdown_write(&mut self, end: &mut End) {
        let stream = &mut self.world().streams[end.index];
        assert!(!std::mem::replace(&mut stream.ended, true), "there is one end");
    }

    fn set_interest(&mut self, end: &mut End, id: ConnectionId, interest: Interest) {
        let stream = &mut self.world().streams[end.index];
        assert_ne!(stream.interest, interest, "a system call for nothing");
        assert!(stream.id.is_none_or(|known| known == id), "a stream keeps its name");
        stream.id = Some(id);
        stream.interest = interest;
    }
}
