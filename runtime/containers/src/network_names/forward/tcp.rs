//! Connections: each is two, with what is on its way between them.

use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::PollFlags;
use rustix::io::{Errno, read, write};
use rustix::net::sockopt::{set_socket_keepalive, set_tcp_nodelay, socket_error};
use rustix::net::{
    AddressFamily, Shutdown, SocketFlags, SocketType, accept_with, connect, shutdown, socket_with,
};

use super::Source;

/// Connections of one container at once. Others wait in the kernel until one ends.
pub(super) const MAX_PAIRS: usize = 256;

/// What may be on its way in one direction, in bytes.
const BUFFER: usize = 32 << 10;

/// Reads and writes of one connection before others get their turn.
const TURN: usize = 8;

const FLAGS: SocketFlags = SocketFlags::CLOEXEC.union(SocketFlags::NONBLOCK);

/// All connections.
#[derive(Default)]
pub(super) struct Streams {
    listeners: Vec<(OwnedFd, SocketAddr)>,
    pairs: Vec<Pair>,
    /// This process has all the descriptors that it may have: until one of these has ended.
    is_full: bool,
}

/// One from outside, and the one that it is led to.
struct Pair {
    outer: OwnedFd,
    inner: OwnedFd,
    is_connecting: bool,
    is_broken: bool,
    inwards: Direction,
    outwards: Direction,
}

/// One way. Nothing is read before all that was read is written: who does not take his bytes gets no more.
struct Direction {
    buffer: Box<[u8]>,
    begin: usize,
    end: usize,
    has_ended: bool,
    has_told: bool,
}

impl Direction {
    fn new() -> Self {
        let buffer = vec![0; BUFFER].into();
        Self { buffer, begin: 0, end: 0, has_ended: false, has_told: false }
    }

    fn wants_bytes(&self) -> bool {
        self.begin == self.end && !self.has_ended
    }

    fn has_bytes(&self) -> bool {
        self.begin < self.end
    }

    /// Carries as much as can be carried now, for a turn.
    fn carry(&mut self, from: &OwnedFd, to: &OwnedFd) -> Result<(), Errno> {
        for _ in 0..TURN {
            if self.wants_bytes() {
                match read(from, &mut self.buffer[..]) {
                    Ok(0) => self.has_ended = true,
                    Ok(length) => (self.begin, self.end) = (0, length),
                    Err(Errno::AGAIN | Errno::INTR) => return Ok(()),
                    Err(error) => return Err(error),
                }
            }
            if self.has_bytes() {
                match write(to, &self.buffer[self.begin..self.end]) {
                    Ok(length) => self.begin += length,
                    Err(Errno::AGAIN | Errno::INTR) => return Ok(()),
                    Err(error) => return Err(error),
                }
            } else if self.has_ended && !self.has_told {
                // The other direction goes on.
                shutdown(to, Shutdown::Write)?;
                self.has_told = true;
                return Ok(());
            }
        }
        Ok(())
    }
}

impl Pair {
    fn new(outer: OwnedFd, target: SocketAddr) -> Result<Self, Errno> {
        let family = if target.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let inner = socket_with(family, SocketType::STREAM, FLAGS, None)?;
        for socket in [&outer, &inner] {
            // It is at the two ends that bytes are held back, and that silence counts.
            set_tcp_nodelay(socket, true)?;
            set_socket_keepalive(socket, true)?;
        }
        let is_connecting = match connect(&inner, &target) {
            Ok(()) => false,
            Err(Errno::INPROGRESS) => true,
            Err(error) => return Err(error),
        };
        let (inwards, outwards) = (Direction::new(), Direction::new());
        Ok(Self { outer, inner, is_connecting, is_broken: false, inwards, outwards })
    }

    fn has_ended(&self) -> bool {
        self.is_broken || self.inwards.has_told && self.outwards.has_told
    }

    fn carry(&mut self) -> Result<(), Errno> {
        if self.is_connecting {
            socket_error(&self.inner)??;
            self.is_connecting = false;
        }
        self.inwards.carry(&self.outer, &self.inner)?;
        self.outwards.carry(&self.inner, &self.outer)
    }
}

fn events(is_to_read: bool, is_to_write: bool) -> PollFlags {
    let mut events = PollFlags::empty();
    events.set(PollFlags::IN, is_to_read);
    events.set(PollFlags::OUT, is_to_write);
    events
}

impl Streams {
    pub(super) fn listen(&mut self, socket: OwnedFd, target: SocketAddr) {
        self.listeners.push((socket, target));
    }

    /// Names all that can go on, and when.
    pub(super) fn wait_for<'a>(&'a self, add: &mut impl FnMut(Source, BorrowedFd<'a>, PollFlags)) {
        if self.has_room() {
            for (at, (listener, _)) in self.listeners.iter().enumerate() {
                add(Source::Listener(at), listener.as_fd(), PollFlags::IN);
            }
        }
        for (at, pair) in self.pairs.iter().enumerate() {
            let Pair { inwards, outwards, is_connecting, .. } = pair;
            let (outer, inner) = match is_connecting {
                true => (PollFlags::empty(), PollFlags::OUT),
                false => (
                    events(inwards.wants_bytes(), outwards.has_bytes()),
                    events(outwards.wants_bytes(), inwards.has_bytes()),
                ),
            };
            for (socket, events) in [(&pair.outer, outer), (&pair.inner, inner)] {
                // One that has broken off says so without being asked, and again and again.
                if !events.is_empty() {
                    add(Source::Pair(at), socket.as_fd(), events);
                }
            }
        }
    }

    /// Takes a connection, as long as there is room.
    pub(super) fn accept(&mut self, at: usize) {
        if !self.has_room() {
            return;
        }
        let (listener, target) = &self.listeners[at];
        match accept_with(listener, FLAGS) {
            // Without, whoever called hears that nobody is there.
            Ok(outer) => self.pairs.extend(Pair::new(outer, *target)),
            Err(Errno::MFILE | Errno::NFILE) => self.is_full = !self.pairs.is_empty(),
            Err(_) => {}
        }
    }

    fn has_room(&self) -> bool {
        self.pairs.len() < MAX_PAIRS && !self.is_full
    }

    pub(super) fn carry(&mut self, at: usize) {
        let pair = &mut self.pairs[at];
        pair.is_broken = pair.carry().is_err();
    }

    pub(super) fn forget_ended(&mut self) {
        let before = self.pairs.len();
        self.pairs.retain(|pair| !pair.has_ended());
        self.is_full &= self.pairs.len() == before;
    }
}
