//! The host's programs: streams in memory, held by a back end that sees whether the device keeps its promises.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use devices::virtio::vsock::{Backend, ConnectionId, Interest, Vsock};

/// One stream, as the host's program sees it.
#[derive(Default)]
pub struct Stream {
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
    pub interest: Interest,
}

/// All streams that there ever were.
#[derive(Clone, Default)]
pub struct World(Arc<Mutex<Vec<Stream>>>);

/// The device's end of a stream.
pub struct End {
    index: usize,
    world: World,
}

impl Drop for End {
    fn drop(&mut self) {
        let stream = &mut self.world.streams()[self.index];
        stream.dropped = true;
        stream.interest = Interest::default();
    }
}

impl World {
    pub fn streams(&self) -> MutexGuard<'_, Vec<Stream>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A program opens the socket.
    pub fn open(&self, id: Option<ConnectionId>) -> End {
        let mut streams = self.streams();
        streams.push(Stream { id, room: 1 << 20, ..Stream::default() });
        End { index: streams.len() - 1, world: self.clone() }
    }

    /// How many streams the device holds.
    pub fn held(&self) -> usize {
        self.streams().iter().filter(|stream| !stream.dropped).count()
    }

    /// One round of a level-triggered poll; says how many streams were ready.
    pub fn poll(&self, vsock: &mut Vsock<World>) -> usize {
        let ready: Vec<_> = self.streams().iter().filter_map(Stream::ready).collect();
        for (id, ready) in &ready {
            vsock.stream_ready(*id, *ready);
        }
        ready.len()
    }
}

impl Stream {
    fn ready(&self) -> Option<(ConnectionId, Interest)> {
        let over = self.eof || self.failed;
        let ready = Interest {
            readable: self.interest.readable && (over || !self.to_guest.is_empty()),
            writable: self.interest.writable && (self.broken || self.room > 0),
            hang_up: self.interest.hang_up && self.eof && self.broken,
        };
        (!self.dropped && ready != Interest::default()).then_some((self.id?, ready))
    }
}

impl Backend for World {
    type Stream = End;

    fn connect(&mut self, port: u32, id: ConnectionId) -> io::Result<End> {
        if port == 0 {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        Ok(self.open(Some(id)))
    }

    fn read(&mut self, end: &mut End, buf: &mut [u8]) -> io::Result<usize> {
        assert!(!buf.is_empty());
        let stream = &mut self.streams()[end.index];
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
        let stream = &mut self.streams()[end.index];
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
        let stream = &mut self.streams()[end.index];
        assert!(!std::mem::replace(&mut stream.ended, true), "there is one end");
    }

    fn set_interest(&mut self, end: &mut End, id: ConnectionId, interest: Interest) {
        let stream = &mut self.streams()[end.index];
        assert_ne!(stream.interest, interest, "a system call for nothing");
        assert!(stream.id.is_none_or(|known| known == id), "a stream keeps its name");
        stream.id = Some(id);
        stream.interest = interest;
    }
}
