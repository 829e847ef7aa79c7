//! The way to the host: one vsock connection per stream.

use std::fs::File;
use std::io;
use std::mem::size_of;
use std::os::fd::AsRawFd;

use protocol::Hello;
use rustix::net::addr::{SocketAddrArg, SocketAddrLen, SocketAddrOpaque};
use rustix::net::{AddressFamily, SocketFlags, SocketType};

/// How the guest calls the host: by vsock, or in a test by a Unix socket.
pub trait Connect {
    /// A new connection. Its end of file comes through shutdown(2), so it must be a socket.
    fn connect(&self) -> io::Result<File>;
}

/// A connection that has said what it is for.
pub(crate) fn open(host: &impl Connect, hello: &Hello) -> Result<File, protocol::FrameError> {
    let mut connection = host.connect()?;
    protocol::write_message(&mut connection, hello)?;
    Ok(connection)
}

/// The host, over virtio-vsock.
pub struct Vsock;

/// How long the host may take to answer a connection request, in seconds; the kernel's default is 2
/// (VSOCK_DEFAULT_CONNECT_TIMEOUT), which a host that emulates its processor can miss.
const CONNECT_TIMEOUT: i64 = 30;

impl Connect for Vsock {
    fn connect(&self) -> io::Result<File> {
        let socket = rustix::net::socket_with(
            AddressFamily::VSOCK,
            SocketType::STREAM,
            SocketFlags::CLOEXEC,
            None,
        )?;
        let timeout = libc::timeval { tv_sec: CONNECT_TIMEOUT, tv_usec: 0 };
        // SAFETY: the pointer is to a live timeval, and the length is its own. A kernel that refuses the option keeps
        // its default, so the result does not matter.
        unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::AF_VSOCK,
                SO_VM_SOCKETS_CONNECT_TIMEOUT,
                (&raw const timeout).cast(),
                size_of::<libc::timeval>() as libc::socklen_t,
            );
        }
        rustix::net::connect(&socket, &HostAddress)?;
        Ok(File::from(socket))
    }
}

/// linux/vm_sockets.h: SO_VM_SOCKETS_CONNECT_TIMEOUT_OLD, a timeval of the machine's word size.
const SO_VM_SOCKETS_CONNECT_TIMEOUT: libc::c_int = 6;

/// [`protocol::HOST_CID`], [`protocol::PORT`], as vsock(7) writes it.
struct HostAddress;

// SAFETY: `f` gets a pointer to a live, whole sockaddr_vm and its length.
unsafe impl SocketAddrArg for HostAddress {
    unsafe fn with_sockaddr<R>(
        &self,
        f: impl FnOnce(*const SocketAddrOpaque, SocketAddrLen) -> R,
    ) -> R {
        let address = libc::sockaddr_vm {
            svm_family: libc::AF_VSOCK as libc::sa_family_t,
            svm_reserved1: 0,
            svm_port: protocol::PORT,
            svm_cid: protocol::HOST_CID,
            svm_zero: [0; 4],
        };
        f((&raw const address).cast(), size_of::<libc::sockaddr_vm>() as SocketAddrLen)
    }
}
