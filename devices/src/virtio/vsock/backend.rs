//! The host's side of the device, as the device sees it.

use std::io;

/// Names a connection. The guest's and the host's context identifiers are the same for every
/// connection of a device, so the pair of ports is the whole name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId {
    /// Port on the host's side (context identifier 2).
    pub host_port: u32,
    /// Port on the guest's side.
    pub guest_port: u32,
}

impl ConnectionId {
    /// The name as one number, which fits an epoll event's user data.
    pub fn to_u64(self) -> u64 {
        u64::from(self.host_port) << 32 | u64::from(self.guest_port)
    }

    /// The reverse of [`ConnectionId::to_u64`].
    pub fn from_u64(value: u64) -> Self {
        Self { host_port: (value >> 32) as u32, guest_port: value as u32 }
    }
}

/// What the device waits for at a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interest {
    /// Call [`Vsock::stream_ready`](super::Vsock::stream_ready) when there is something to read:
    /// data, the end of the stream or an error.
    pub readable: bool,
    /// Call it when the stream takes data again, or is broken.
    pub writable: bool,
    /// Call it when the host's program has closed its end. One that has only ended what it writes is still there.
    pub hang_up: bool,
}

/// Makes and serves the host's ends of connections. The VMM's is a set of nonblocking Unix
/// sockets; a test's is memory. No method may block.
pub trait Backend: Send {
    /// The host's end of one connection. Dropping it closes it.
    type Stream: Send;

    /// The guest connects to `port` of the host. An error refuses the connection.
    fn connect(&mut self, port: u32, id: ConnectionId) -> io::Result<Self::Stream>;

    /// Takes bytes that are to go to the guest. `buf` is never empty; `Ok(0)` is the end of the
    /// stream; [`WouldBlock`](io::ErrorKind::WouldBlock) means nothing is there now; any other
    /// error resets the connection.
    fn read(&mut self, stream: &mut Self::Stream, buf: &mut [u8]) -> io::Result<usize>;

    /// Hands on bytes from the guest. [`WouldBlock`](io::ErrorKind::WouldBlock) means the stream
    /// takes none now; any other error means that it never will again.
    fn write(&mut self, stream: &mut Self::Stream, buf: &[u8]) -> io::Result<usize>;

    /// The guest will send no more: the reader of the stream sees its end.
    fn shutdown_write(&mut self, stream: &mut Self::Stream);

    /// Sets the level-triggered poll interest of a stream that starts with none. A stream without
    /// any interest must not be polled at all: epoll reports a hang-up even to those who did not
    /// ask, again and again.
    fn set_interest(&mut self, stream: &mut Self::Stream, id: ConnectionId, interest: Interest);
}
