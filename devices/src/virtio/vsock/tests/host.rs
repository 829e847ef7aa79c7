//! The host in memory: streams whose readers and writers the test plays.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::virtio::vsock::{Backend, ConnectionId, Interest, Vsock};

/// One stream, as the host's program sees it.
#[derive(Default)]
pub struct Stream {
    pub id: Option<ConnectionId>,
    /// Written by the program, not yet taken by the device.
    pub to_guest: VecDeque<u8>,
    /// The program has closed its end.
    pub left: bool,
    /// The program writes no more.
    pub eof: bool,
    /// All that the device wrote.
    pub from_guest: Vec<u8>,
    /// How many bytes the stream takes before it would block.
    pub room: usize,
    /// The program reads no more.
    pub broken: bool,
    /// Reads fail after what `to_guest` holds.
    pub failed: bool,
    /// The device said that no more will come.
    pub ended: bool,
    /// The device dropped its end.
    pub dropped: bool,
    pub interest: Interest,
}

#[derive(Default)]
pub struct World {
    pub streams: Vec<Stream>,
    /// Refuses what the guest asks for.
    pub refuse: bool,
    /// Room of new streams.
    pub room: usize,
}

/// The back end, and the test's access to it.
#[derive(Clone, Default)]
pub struct Host(Arc<Mutex<World>>);

/// The device's end of stream `index`.
pub struct End {
    pub index: usize,
    host: Host,
}

impl Drop for End {
    fn drop(&mut self) {
        let mut world = self.host.world();
        let stream = &mut world.streams[self.index];
        assert!(!stream.dropped);
        stream.dropped = true;
        stream.interest = Interest::default();
    }
}

impl Host {
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    /// What a program does that opens the socket and says `CONNECT port`.
    pub fn open(&self) -> End {
        let mut world = self.world();
        let room = world.room;
        world.streams.push(Stream { room, ..Stream::default() });
        End { index: world.streams.len() - 1, host: self.clone() }
    }

    /// One round of a level-triggered poll; says how many streams were ready.
    pub fn poll(&self, vsock: &mut Vsock<Self>) -> usize {
        let ready: Vec<_> = self
            .world()
            .streams
            .iter()
            .filter(|stream| !stream.dropped)
            .filter_map(|stream| {
                let over = stream.eof || stream.failed || stream.left;
                let ready = Interest {
                    readable: stream.interest.readable && (over || !stream.to_guest.is_empty()),
                    writable: stream.interest.writable && (stream.broken || stream.room > 0),
                    hang_up: stream.interest.hang_up && stream.left,
                };
                (ready != Interest::default()).then(|| (stream.id.unwrap(), ready))
            })
            .collect();
        for (id, ready) in &ready {
            vsock.stream_ready(*id, *ready);
        }
        ready.len()
    }
}

impl Backend for Host {
    type Stream = End;

    fn connect(&mut self, _port: u32, id: ConnectionId) -> io::Result<End> {
        if self.world().refuse {
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
            0 if !stream.eof && !stream.left => Err(io::ErrorKind::WouldBlock.into()),
            len => Ok(len),
        }
    }

    fn write(&mut self, end: &mut End, buf: &[u8]) -> io::Result<usize> {
        assert!(!buf.is_empty());
        let stream = &mut self.world().streams[end.index];
        assert!(!stream.ended, "written after the end");
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
        assert!(!std::mem::replace(&mut stream.ended, true), "ended twice");
    }

    fn set_interest(&mut self, end: &mut End, id: ConnectionId, interest: Interest) {
        let stream = &mut self.world().streams[end.index];
        assert_ne!(stream.interest, interest, "a system call for nothing");
        stream.id = Some(id);
        stream.interest = interest;
    }
}
