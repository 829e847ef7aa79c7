//! Messages with descriptors, on a Unix stream socket (unix(7), SCM_RIGHTS): between a container's supervisor and its clients, and
//! the process that puts it on networks.

use std::io::{self, IoSlice, IoSliceMut, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use protocol::{FrameError, FrameReader, decode, encode};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// No message comes with more descriptors, between whomever.
pub const MOST: usize = 16;

/// One end of a conversation.
#[derive(Debug)]
pub struct Connection {
    stream: UnixStream,
    /// Of descriptors with a message.
    most: usize,
    received: Vec<OwnedFd>,
}

impl Connection {
    /// On a connected socket. With a message come this many descriptors at most, [`MOST`] or fewer.
    pub fn new(stream: UnixStream, most: usize) -> Self {
        Self { stream, most, received: Vec::new() }
    }

    /// Another handle of the same connection, for a thread that sends.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self::new(self.stream.try_clone()?, self.most))
    }

    /// Sends a message, the descriptors with its first byte.
    pub fn send(
        &self,
        message: &impl Serialize,
        descriptors: &[BorrowedFd<'_>],
    ) -> Result<(), FrameError> {
        let frame = encode(message)?;
        if descriptors.len() > self.most {
            return Err(io::Error::from(io::ErrorKind::InvalidInput).into());
        }
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(descriptors))
        {
            return Err(io::Error::from(io::ErrorKind::InvalidInput).into());
        }
        let mut sent = 0;
        while sent < frame.len() {
            let rest = [IoSlice::new(&frame[sent..])];
            match sendmsg(&self.stream, &rest, &mut ancillary, SendFlags::NOSIGNAL) {
                Ok(count) => sent += count,
                Err(Errno::INTR) => continue,
                Err(error) => return Err(io::Error::from(error).into()),
            }
            ancillary.clear();
        }
        Ok(())
    }

    /// The same socket, to see whether the other end is there.
    pub fn socket(&self) -> io::Result<OwnedFd> {
        Ok(self.stream.try_clone()?.into())
    }

    /// Whether the other end is closed, or says nothing any more.
    pub fn has_left(&self) -> bool {
        let mut fds = [PollFd::new(&self.stream, PollFlags::RDHUP)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut fds, Some(&now)).is_ok() && !fds[0].revents().is_empty()
    }

    /// How long to wait for what the other end says next; `None` is without an end.
    pub fn set_patience(&self, patience: Option<Duration>) -> io::Result<()> {
        self.stream.set_read_timeout(patience)
    }

    /// Waits for the next message. [`io::ErrorKind::WouldBlock`]: patience is at its end.
    pub fn receive<T: DeserializeOwned>(&mut self) -> Result<T, FrameError> {
        match FrameReader::default().read(self)? {
            Some(body) => decode(&body),
            None => Err(FrameError::Io(io::ErrorKind::WouldBlock.into())),
        }
    }

    /// Ends it, for the other handles as well.
    pub fn hang_up(&self) {
        // Of a connection that is gone nothing is left to end.
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
    }

    /// The descriptors that came with the last message.
    pub fn take_descriptors(&mut self) -> Vec<OwnedFd> {
        std::mem::take(&mut self.received)
    }
}

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut into = [IoSliceMut::new(buffer)];
        let message = recvmsg(&self.stream, &mut into, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
        for part in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = part {
                self.received.extend(descriptors);
            }
        }
        // What is too much is closed here and now.
        self.received.truncate(self.most);
        Ok(message.bytes)
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;

    use super::*;

    fn pair(most: usize) -> (Connection, Connection) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (Connection::new(ours, most), Connection::new(theirs, most))
    }

    #[test]
    fn descriptors_arrive_with_their_message_and_in_their_order() {
        for most in [1, MOST] {
            let (ours, mut theirs) = pair(most);
            let mut pipes: Vec<_> = (0..most).map(|_| io::pipe().unwrap()).collect();
            let sent: Vec<_> = pipes.iter().map(|(_, writer)| writer.as_fd()).collect();
            ours.send(&"attach", &sent).unwrap();
            ours.send(&"wait", &[]).unwrap();
            assert_eq!(theirs.receive::<String>().unwrap(), "attach");
            let received = theirs.take_descriptors();
            assert_eq!(received.len(), most);
            for (number, (end, (reader, _))) in received.into_iter().zip(&mut pipes).enumerate() {
                File::from(end).write_all(&[number as u8]).unwrap();
                let mut byte = [99];
                reader.read_exact(&mut byte).unwrap();
                assert_eq!(byte, [number as u8]);
            }
            assert_eq!(theirs.receive::<String>().unwrap(), "wait");
            assert!(theirs.take_descriptors().is_empty());
            drop(ours);
            assert!(matches!(theirs.receive::<String>(), Err(FrameError::Closed)));
        }
    }

    #[test]
    fn too_many_descriptors_are_not_sent_and_not_taken() {
        for most in [3, MOST] {
            let (ours, _theirs) = pair(most);
            let many: Vec<_> = (0..=most).map(|_| io::stdin()).collect();
            let many: Vec<_> = many.iter().map(AsFd::as_fd).collect();
            assert!(ours.send(&"wait", &many).is_err());
        }
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (ours, mut theirs) = (Connection::new(ours, 4), Connection::new(theirs, 3));
        let four: Vec<_> = (0..4).map(|_| io::stdin()).collect();
        let four: Vec<_> = four.iter().map(AsFd::as_fd).collect();
        ours.send(&"wait", &four).unwrap();
        assert_eq!(theirs.receive::<String>().unwrap(), "wait");
        assert_eq!(theirs.take_descriptors().len(), 3);
    }
}
