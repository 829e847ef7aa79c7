//! The control stream, without ever waiting for the guest.

use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{SystemTime, UNIX_EPOCH};

use protocol::{
    Clock, FrameReader, Hello, MAX_FRAME, Process, Start, Stream, ToGuest, ToHost, decode, encode,
};
use rustix::event::PollFlags;
use rustix::rand::{GetRandomFlags, getrandom};

use super::AgentError;

/// Frames in both directions on a nonblocking socket.
pub(super) struct Control {
    stream: UnixStream,
    reader: FrameReader,
    /// What the guest has not taken yet.
    outbox: Vec<u8>,
}

/// Beyond one whole Start: room for signals that a busy guest has not read.
const MAX_OUTBOX: usize = MAX_FRAME + 4096;

impl Control {
    /// Greets the guest, whose own greeting was read.
    pub(super) fn new(stream: UnixStream) -> Result<Self, AgentError> {
        let mut control = Self { stream, reader: FrameReader::default(), outbox: Vec::new() };
        control.queue(&encode(&Hello::new(Stream::Control))?)?;
        Ok(control)
    }

    /// Sends, now or as the guest reads. A signal that does not fit any more is dropped: the guest that left thousands
    /// unread does not miss one.
    pub(super) fn send(&mut self, message: &ToGuest) -> Result<(), AgentError> {
        self.queue(&encode(message)?)
    }

    fn queue(&mut self, frame: &[u8]) -> Result<(), AgentError> {
        if self.outbox.len() + frame.len() <= MAX_OUTBOX {
            self.outbox.extend(frame);
        }
        self.flush()
    }

    /// Writes what the guest takes.
    pub(super) fn flush(&mut self) -> Result<(), AgentError> {
        while !self.outbox.is_empty() {
            match self.stream.write(&self.outbox) {
                Ok(count) => drop(self.outbox.drain(..count)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                // The guest's last words may still be there to read: its end is found by reading.
                Err(_) => self.outbox.clear(),
            }
        }
        Ok(())
    }

    /// The next message, if it is there.
    pub(super) fn receive(&mut self) -> Result<Option<ToHost>, AgentError> {
        match self.reader.read(&mut self.stream)? {
            Some(body) => Ok(Some(decode(&body)?)),
            None => Ok(None),
        }
    }

    /// What to poll for.
    pub(super) fn interest(&self) -> PollFlags {
        if self.outbox.is_empty() { PollFlags::IN } else { PollFlags::IN | PollFlags::OUT }
    }
}

impl AsFd for Control {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// How many random bytes the guest's generator starts with: twice the 256 bits that it holds.
const SEED: usize = 64;

/// The process, this moment's time and fresh randomness.
pub(super) fn start_message(process: Process) -> Result<ToGuest, AgentError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(io::Error::other)?;
    let clock = Clock { unix_seconds: now.as_secs(), nanoseconds: now.subsec_nanos() };
    let mut seed = vec![0u8; SEED];
    // getrandom(2): up to 256 bytes come whole.
    getrandom(&mut seed[..], GetRandomFlags::empty()).map_err(io::Error::from)?;
    Ok(ToGuest::Start(Box::new(Start { process, clock, seed: seed.into() })))
}
