//! The control socket, a Unix stream socket.
//!
//! Its address is abstract (unix(7)): it goes with the process, however that ends, and leaves no file. Everybody in the same
//! network namespace can connect to it, so both ends ask the kernel who the other one is.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

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
