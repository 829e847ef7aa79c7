//! The control socket: messages with file descriptors, on a Unix stream socket.
//!
//! Its address is abstract (unix(7)): it goes with the process, however that ends, and leaves no file. Everybody in the same
//! network namespace can connect to it, so both ends ask the kernel who the other one is.

use std::io::{self, IoSlice, IoSliceMut, Read};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
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

use crate::container::Id;

/// Standard input, output and error: no request comes with more.
pub const MAX_DESCRIPTORS: usize = 3;

/// Listens on an address that nobody can guess and take first. Returns it, too.
pub fn listen() -> io::Result<(UnixListener, String)> {
    let address = format!("bulkhead-{}", Id::random()?);
    let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&address)?)?;
    Ok((listener, address))
}

/// Connects to it.
pub fn connect(address: &str) -> io::Result<UnixStream> {
    UnixStream::connect_addr(&SocketAddr::from_abstract_name(address)?)
}

/// The user at the other end, as it was when that end was connected or began to listen.
pub fn peer(stream: &UnixStream) -> io::Result<u32> {
    Ok(rustix::net::sockopt::socket_peercred(stream)?.uid.as_raw())
}

/// One end of a conversation.
#[derive(Debug)]
pub struct Connection {
    stream: UnixStream,
    received: Vec<OwnedFd>,
}

impl Connection {
    /// On a connected socket.
    pub fn new(stream: UnixStream) -> Self {
        Self { stream, received: Vec::new() }
    }

    /// Another handle of the same connection, for a thread that sends.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self::new(self.stream.try_clone()?))
    }

    /// Sends a message, the descriptors with its first byte.
    pub fn send(
        &self,
        message: &impl Serialize,
        descriptors: &[BorrowedFd<'_>],
    ) -> Result<(), FrameError> {
        let frame = encode(message)?;
        if descriptors.len() > MAX_DESCRIPTORS {
            return Err(io::Error::from(io::ErrorKind::InvalidInput).into());
        }
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
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
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut into = [IoSliceMut::new(buffer)];
        let message = recvmsg(&self.stream, &mut into, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
        for part in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = part {
                self.received.extend(descriptors);
            }
        }
        // What is too much is closed here and now.
        self.received.truncate(MAX_DESCRIPTORS);
        Ok(message.bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;
    use std::os::fd::AsFd;

    use super::super::message::Request;
    use super::*;

    #[test]
    fn descriptors_arrive_with_their_message() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (ours, mut theirs) = (Connection::new(ours), Connection::new(theirs));
        let (read, write) = rustix::pipe::pipe().unwrap();
        ours.send(&Request::Attach { stdin: false }, &[write.as_fd()]).unwrap();
        ours.send(&Request::Wait, &[]).unwrap();
        drop(write);
        assert!(matches!(theirs.receive().unwrap(), Request::Attach { stdin: false }));
        let mut received = theirs.take_descriptors();
        assert_eq!(received.len(), 1);
        File::from(received.remove(0)).write_all(b"through").unwrap();
        let mut text = String::new();
        File::from(read).read_to_string(&mut text).unwrap();
        assert_eq!(text, "through");
        assert!(matches!(theirs.receive().unwrap(), Request::Wait));
        assert!(theirs.take_descriptors().is_empty());
        drop(ours);
        assert!(matches!(theirs.receive::<Request>(), Err(FrameError::Closed)));
    }

    #[test]
    fn too_many_descriptors_are_not_sent() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let four = std::array::from_fn::<_, 4, _>(|_| std::io::stdin());
        let four: Vec<_> = four.iter().map(AsFd::as_fd).collect();
        assert!(Connection::new(ours).send(&Request::Wait, &four).is_err());
    }
}
