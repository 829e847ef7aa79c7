//! The control stream, without ever waiting for the guest.

use std::io::{ErrorKind, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use protocol::{FrameReader, Hello, Stream, ToGuest, ToHost, decode, encode};
use rustix::event::PollFlags;

use super::ConversationError;
use crate::limits;

/// Frames in both directions on a nonblocking socket.
pub(super) struct Control {
    stream: UnixStream,
    reader: FrameReader,
    /// What the guest has not taken yet.
    outbox: Vec<u8>,
}

impl Control {
    /// Greets the guest, whose own greeting was read.
    pub(super) fn new(stream: UnixStream) -> Result<Self, ConversationError> {
        let mut control = Self { stream, reader: FrameReader::default(), outbox: Vec::new() };
        control.queue(&encode(&Hello::new(Stream::Control))?)?;
        Ok(control)
    }

    /// Sends, now or as the guest reads. A guest that leaves so much unread has lost its mind: that is an error.
    pub(super) fn send(&mut self, message: &ToGuest) -> Result<(), ConversationError> {
        self.queue(&encode(message).map_err(ConversationError::TooLong)?)
    }

    fn queue(&mut self, frame: &[u8]) -> Result<(), ConversationError> {
        if self.outbox.len() + frame.len() > limits::OUTBOX {
            return Err(ConversationError::Protocol("does not read what it is told".to_owned()));
        }
        self.outbox.extend(frame);
        self.flush()
    }

    /// Writes what the guest takes.
    pub(super) fn flush(&mut self) -> Result<(), ConversationError> {
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
    pub(super) fn receive(&mut self) -> Result<Option<ToHost>, ConversationError> {
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
