//! What guest-init tells a program that it starts for the container, and what that answers.
//!
//! guest-init has threads and must not fork into a container itself. It starts its own program again, with one end of a
//! socket pair as [`SOCKET`]; that one reads an [`Order`], has one thread, and ends up as the container's process.
//! Answers are datagrams: each is whole, and the end of all of them is the end of file.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use protocol::{ByteString, FailureKind, Setting, Start};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::sockopt::set_socket_send_buffer_size_force;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg,
    sendmsg, socketpair,
};
use serde::{Deserialize, Serialize};

use crate::error::{During, StartError};

/// The first argument of the program that is started.
pub const ARGUMENT: &str = "container";

/// Its end of the socket pair.
pub const SOCKET: i32 = 3;

/// The longest order or report: an order's arguments and environment are those of one protocol frame.
const MAX: usize = protocol::MAX_FRAME + (64 << 10);

/// What to do.
#[derive(Debug, Serialize, Deserialize)]
pub enum Order {
    /// Make the container, and be its first process.
    First(Box<Setting>, Box<Start>),
    /// Enter the container of the process with this number, and be another process of it.
    Another(u32, Box<Setting>, Box<Start>),
    /// Write a path of the container to standard output as a tar, seen by this process or from outside.
    CopyOut(Option<u32>, ByteString),
    /// Unpack the tar on standard input.
    CopyIn(Option<u32>, ByteString),
}

/// What came of it.
#[derive(Debug, Serialize, Deserialize)]
pub enum Report {
    /// The process's number as guest-init sees it.
    Pid(u32),
    /// Its terminal; the controlling side comes with this message.
    Terminal,
    /// Nothing.
    Failed(FailureKind, String),
}

/// Both ends, guest-init's first.
pub fn pair() -> Result<(OwnedFd, OwnedFd), StartError> {
    let kind = SocketType::SEQPACKET;
    let (ours, theirs) = socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)
        .during("make a socket pair")?;
    // A datagram must fit whole, and the kernel's default is a fifth of the longest.
    set_socket_send_buffer_size_force(&ours, 2 * MAX).during("make a socket's buffer larger")?;
    Ok((ours, theirs))
}

/// Sends one message, perhaps with a descriptor.
pub fn send(
    socket: impl AsFd,
    message: &impl Serialize,
    descriptor: Option<BorrowedFd<'_>>,
) -> Result<(), StartError> {
    let body =
        serde_json::to_vec(message).map_err(std::io::Error::from).during("write a message")?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let descriptors: Vec<BorrowedFd<'_>> = descriptor.into_iter().collect();
    if !descriptors.is_empty() {
        ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
    }
    loop {
        match sendmsg(&socket, &[IoSlice::new(&body)], &mut ancillary, SendFlags::NOSIGNAL) {
            Err(Errno::INTR) => {}
            result => return result.map(drop).during("send a message"),
        }
    }
}

/// Waits for the next message, or the end, but no longer than until `deadline`.
pub fn await_message(socket: impl AsFd, deadline: Instant) -> Result<(), StartError> {
    const WHAT: &str = "wait for the container's program";
    let mut fds = [PollFd::new(&socket, PollFlags::IN)];
    loop {
        let rest = deadline.saturating_duration_since(Instant::now());
        let rest = Timespec::try_from(rest).map_err(std::io::Error::other).during(WHAT)?;
        match poll(&mut fds, Some(&rest)) {
            Ok(0) => return Err(std::io::Error::from(std::io::ErrorKind::TimedOut)).during(WHAT),
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error).during(WHAT),
        }
    }
}

/// The next message, and the descriptor that came with it. `None`: the end.
pub fn receive<T: for<'de> Deserialize<'de>>(
    socket: impl AsFd,
) -> Result<Option<(T, Option<OwnedFd>)>, StartError> {
    let mut body = vec![0; MAX];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = loop {
        let flags = RecvFlags::CMSG_CLOEXEC;
        match recvmsg(&socket, &mut [IoSliceMut::new(&mut body)], &mut ancillary, flags) {
            Err(Errno::INTR) => {}
            result => break result.during("receive a message")?,
        }
    };
    if received.bytes == 0 {
        return Ok(None);
    }
    if received.flags.contains(ReturnFlags::TRUNC) {
        let error = std::io::Error::from(std::io::ErrorKind::InvalidData);
        return Err(error).during("receive a message");
    }
    let descriptor = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    let message = serde_json::from_slice(&body[..received.bytes]);
    let message = message.map_err(std::io::Error::from).during("read a message")?;
    Ok(Some((message, descriptor)))
}
