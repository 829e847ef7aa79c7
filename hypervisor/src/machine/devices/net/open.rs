//! Opens what a network interface's frames go through, while names mean something.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use egress_rules::PAGE_SIZE;
use rustix::fs::{Mode, OFlags, SealFlags, fcntl_get_seals, fcntl_getfl, fstat};
use rustix::io::Errno;
use rustix::net::netdevice::name_to_index;
use rustix::net::sockopt::{socket_domain, socket_type};
use rustix::net::{AddressFamily, SocketFlags, SocketType, getpeername, socket_with};

use super::host::End;
use super::stream::Stream;
use super::tap::Tap;
use crate::config::{Interface, InterfaceSource};
use crate::jail::Inherited;

/// The device of all TAPs (linux/Documentation/networking/tuntap.rst).
const TUN: &str = "/dev/net/tun";

/// Why a network interface could not be used.
#[derive(Debug, thiserror::Error)]
pub enum InterfaceError {
    /// The host has no such interface here.
    #[error(
        "network-interfaces, {id:?}: host_dev_name {name:?}: there is none in this network namespace; make it: \
         ip tuntap add {name} mode tap"
    )]
    Missing { id: String, name: String },
    /// The TAP could not be opened.
    #[error("network-interfaces, {id:?}: host_dev_name {name:?}: {error}; must be {expected}")]
    Tap {
        id: String,
        name: String,
        /// What the system said.
        error: io::Error,
        expected: &'static str,
    },
    /// Nobody handed the descriptor over.
    #[error(
        "network-interfaces, {id:?}: fd {fd}: is not open; must be inherited from whoever starts this program"
    )]
    Closed { id: String, fd: RawFd },
    /// The descriptor is of another kind.
    #[error("network-interfaces, {id:?}: fd {fd}: must be {expected}")]
    Kind { id: String, fd: RawFd, expected: &'static str },
    /// The descriptor could not be used.
    #[error("network-interfaces, {id:?}: fd {fd}: {error}")]
    Descriptor {
        id: String,
        fd: RawFd,
        /// What the system said.
        error: io::Error,
    },
    /// Where the interface is to tell of itself is no such place.
    #[error(
        "network-interfaces, {id:?}: report_fd {fd}: must be an inherited memfd of {PAGE_SIZE} bytes at least, open for \
         writing and sealed against shrinking (F_SEAL_SHRINK)"
    )]
    Report { id: String, fd: RawFd },
    /// Nobody listens at the path.
    #[error("network-interfaces, {id:?}: socket {}: {error}; must be a Unix stream socket at which somebody listens",
        path.display())]
    Socket {
        id: String,
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

/// What an interface has of its host.
pub struct OpenedInterface {
    /// What its frames go through.
    pub end: End,
    /// Where it tells of itself.
    pub report: Option<File>,
}

/// Opens it, or takes it from what was inherited.
pub fn open(
    interface: &Interface,
    inherited: &mut Inherited,
) -> Result<OpenedInterface, InterfaceError> {
    let report = interface.report.map(|fd| {
        let report = inherited.take(fd).filter(|report| is_page(report).unwrap_or(false));
        report.map(File::from).ok_or(InterfaceError::Report { id: interface.id.clone(), fd })
    });
    let report = report.transpose()?;
    Ok(OpenedInterface { end: open_end(interface, inherited)?, report })
}

/// Whether it is memory that never gets less than a report needs: what is written behind a file's end kills the writer.
fn is_page(report: &OwnedFd) -> io::Result<bool> {
    let stays = fcntl_get_seals(report)?.contains(SealFlags::SHRINK);
    let writable = fcntl_getfl(report)? & OFlags::RWMODE == OFlags::RDWR;
    Ok(stays && writable && fstat(report)?.st_size >= PAGE_SIZE as i64)
}

fn open_end(interface: &Interface, inherited: &mut Inherited) -> Result<End, InterfaceError> {
    let id = interface.id.as_str();
    match &interface.source {
        InterfaceSource::Tap(name) => open_tap(id, name),
        InterfaceSource::Descriptor(fd) => {
            let closed = || InterfaceError::Closed { id: id.to_owned(), fd: *fd };
            recognize(id, *fd, inherited.take(*fd).ok_or_else(closed)?)
        }
        InterfaceSource::Socket(path) => connect(path).map_err(|error| InterfaceError::Socket {
            id: id.to_owned(),
            path: path.clone(),
            error,
        }),
    }
}

fn open_tap(id: &str, name: &str) -> Result<End, InterfaceError> {
    let failed = |expected| {
        move |error: io::Error| InterfaceError::Tap {
            id: id.to_owned(),
            name: name.to_owned(),
            error,
            expected,
        }
    };
    // The kernel would make one, without an address, and remove it at the end.
    if !exists(name).map_err(failed("looked up"))? {
        return Err(InterfaceError::Missing { id: id.to_owned(), name: name.to_owned() });
    }
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let descriptor = rustix::fs::open(TUN, flags, Mode::empty()).map_err(io::Error::from);
    let descriptor = descriptor.map_err(failed("a TAP, for which /dev/net/tun must be there"))?;
    let expected = "a TAP of one queue that no other program has, and that this user may use";
    Tap::attach(&descriptor, name).map_err(failed(expected))?;
    let tap = Tap::new(descriptor).map_err(failed("a TAP with headers of 12 bytes"))?;
    Ok(End::Tap(tap))
}

fn exists(name: &str) -> io::Result<bool> {
    let (family, flags) = (AddressFamily::UNIX, SocketFlags::CLOEXEC);
    let socket = socket_with(family, SocketType::DGRAM, flags, None)?;
    match name_to_index(&socket, name) {
        Ok(_) => Ok(true),
        Err(Errno::NODEV) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Finds out what whoever started this program handed over.
fn recognize(id: &str, fd: RawFd, descriptor: OwnedFd) -> Result<End, InterfaceError> {
    let unusable = |error| InterfaceError::Descriptor { id: id.to_owned(), fd, error };
    let kind = |expected| InterfaceError::Kind { id: id.to_owned(), fd, expected };
    match Tap::is_usable(&descriptor) {
        Ok(true) => return Ok(End::Tap(Tap::new(descriptor).map_err(unusable)?)),
        Ok(false) => return Err(kind("a TAP with IFF_VNET_HDR and IFF_NO_PI")),
        Err(_) => {}
    }
    if !is_stream(&descriptor) {
        return Err(kind("an attached TAP or a connected Unix stream socket"));
    }
    rustix::io::ioctl_fionbio(&descriptor, true).map_err(|error| unusable(error.into()))?;
    Ok(End::Stream(Stream::new(descriptor)))
}

fn is_stream(descriptor: impl AsFd) -> bool {
    let descriptor = descriptor.as_fd();
    socket_domain(descriptor).is_ok_and(|family| family == AddressFamily::UNIX)
        && socket_type(descriptor).is_ok_and(|kind| kind == SocketType::STREAM)
        && getpeername(descriptor).is_ok()
}

fn connect(path: &Path) -> io::Result<End> {
    let stream = UnixStream::connect(path)?;
    stream.set_nonblocking(true)?;
    Ok(End::Stream(Stream::new(stream.into())))
}
