//! Host programs that have opened the socket and not yet said which port they want.

use std::collections::VecDeque;
use std::io;
use std::os::unix::net::UnixStream;

use devices::virtio::vsock::{CONNECT_LINE_MAX, ConnectLine, ConnectProgress};
use rustix::net::RecvFlags;

use crate::limits::MAX_WAITING;

/// A stream on its way to its `CONNECT port` line.
struct Waiting {
    number: u32,
    stream: UnixStream,
    line: ConnectLine,
}

/// All of them, the one that has waited longest first. It makes room for one too many: so none is in the way of others
/// for ever.
#[derive(Default)]
pub struct WaitingRoom {
    waiting: VecDeque<Waiting>,
    next_number: u32,
}

impl WaitingRoom {
    /// Lets a nonblocking stream in, under a number below `limit`.
    pub fn enter(&mut self, stream: UnixStream, limit: u32) -> (u32, &UnixStream) {
        if self.waiting.len() >= MAX_WAITING {
            self.waiting.pop_front();
        }
        let number = self.next_number;
        self.next_number = (number + 1) % limit;
        self.waiting.push_back(Waiting { number, stream, line: ConnectLine::default() });
        (number, &self.waiting[self.waiting.len() - 1].stream)
    }

    pub fn leave(&mut self, number: u32) {
        self.waiting.retain(|waiting| waiting.number != number);
    }

    /// Reads what stream `number` says. Once the line is complete, gives the stream and the port; a
    /// stream that says something else is closed.
    pub fn hear(&mut self, number: u32) -> Option<(UnixStream, u32)> {
        let index = self.waiting.iter().position(|waiting| waiting.number == number)?;
        let waiting = &mut self.waiting[index];
        match hear(&waiting.stream, &mut waiting.line) {
            Ok(None) => None,
            Ok(Some(port)) => self.waiting.remove(index).map(|waiting| (waiting.stream, port)),
            Err(error) => {
                log::debug!("vsock: a host connection is closed: {error}");
                self.leave(number);
                None
            }
        }
    }
}

/// Reads as much of the line as there is, and not a byte beyond its end: what follows belongs to
/// the guest.
fn hear(stream: &UnixStream, line: &mut ConnectLine) -> io::Result<Option<u32>> {
    let mut bytes = [0; CONNECT_LINE_MAX];
    let (_, peeked) = match rustix::net::recv(stream, &mut bytes[..], RecvFlags::PEEK) {
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return Ok(None),
        result => result?,
    };
    if peeked == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let progress = line.push(&bytes[..peeked]).map_err(io::Error::other)?;
    let (used, port) = match progress {
        ConnectProgress::More => (peeked, None),
        ConnectProgress::Port { port, used } => (used, Some(port)),
    };
    // They are there: nobody else reads from this stream.
    rustix::net::recv(stream, &mut bytes[..used], RecvFlags::empty())?;
    Ok(port)
}
