//! The host's ends of the guest's connections: nonblocking Unix sockets in an epoll set.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use devices::virtio::vsock::{Backend, ConnectionId, Interest};
use rustix::event::epoll;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use super::NO_PORT;

/// Makes and serves the sockets.
pub struct UnixBackend {
    /// What the sockets are polled with.
    epoll: Arc<OwnedFd>,
    /// The name of the host's programs' socket, and an underscore.
    prefix: OsString,
}

/// The host's end of one connection.
pub struct Socket {
    stream: UnixStream,
    /// Stands in the epoll set.
    polled: bool,
}

impl Socket {
    /// A nonblocking stream that is in no epoll set.
    pub(super) fn new(stream: UnixStream) -> Self {
        Self { stream, polled: false }
    }
}

impl UnixBackend {
    pub(super) fn new(epoll: Arc<OwnedFd>, prefix: &OsStr) -> Self {
        let mut prefix = prefix.to_owned();
        prefix.push("_");
        Self { epoll, prefix }
    }
}

impl Backend for UnixBackend {
    type Stream = Socket;

    /// Connects to `<prefix>_<port>`. A program whose queue of connections is full refuses.
    fn connect(&mut self, port: u32, _id: ConnectionId) -> io::Result<Socket> {
        if port == NO_PORT {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut path = self.prefix.clone();
        path.push(port.to_string());
        let address = SocketAddrUnix::new(path)?;
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket =
            rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        rustix::net::connect(&socket, &address)?;
        Ok(Socket::new(socket.into()))
    }

    fn read(&mut self, socket: &mut Socket, buf: &mut [u8]) -> io::Result<usize> {
        socket.stream.read(buf)
    }

    fn write(&mut self, socket: &mut Socket, buf: &[u8]) -> io::Result<usize> {
        // A reader that is gone is an error, not a signal: Rust's runtime ignores SIGPIPE.
        socket.stream.write(buf)
    }

    fn shutdown_write(&mut self, socket: &mut Socket) {
        // Fails only if the other end is gone already.
        let _ = socket.stream.shutdown(Shutdown::Write);
    }

    fn set_interest(&mut self, socket: &mut Socket, id: ConnectionId, interest: Interest) {
        let mut flags = epoll::EventFlags::empty();
        flags.set(epoll::EventFlags::IN, interest.readable);
        flags.set(epoll::EventFlags::OUT, interest.writable);
        let data = epoll::EventData::new_u64(id.to_u64());
        // A hang-up is told to all that are in the set, whatever they ask for.
        let (stream, polled) = (&socket.stream, !flags.is_empty() || interest.hang_up);
        let result = match (socket.polled, polled) {
            (false, false) => Ok(()),
            (false, true) => epoll::add(&*self.epoll, stream, data, flags),
            (true, true) => epoll::modify(&*self.epoll, stream, data, flags),
            // Out of the set: a hang-up would be reported whatever the flags.
            (true, false) => epoll::delete(&*self.epoll, stream),
        };
        // Only the kernel's want of memory makes one fail. The stream then stands still until its
        // interest changes.
        if result.is_ok() {
            socket.polled = polled;
        }
    }
}
