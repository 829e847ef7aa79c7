//! A TAP (linux/Documentation/networking/tuntap.rst) in the namespace of the thread that makes it.

use std::io;
use std::os::fd::OwnedFd;

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    AfSpecInet6, AfSpecUnspec, In6AddrGenMode, LinkAttribute, LinkFlags, LinkMessage,
};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::ioctl::{Opcode, Updater, ioctl, opcode};
use rustix::net::netdevice::name_to_index;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use crate::network::netlink::{Change, Netlink, NetlinkError};

/// linux/if_tun.h.
const TUNSETIFF: Opcode = opcode::write::<i32>(b'T', 202);

/// linux/if_tun.h: IFF_TAP (Ethernet frames), IFF_NO_PI (with no header of the kernel's own) and IFF_VNET_HDR (with one
/// as of virtio). There is one queue, and without TUNSETPERSIST the TAP ends with its descriptor.
const FLAGS: i16 = 0x0002 | 0x1000 | 0x4000;

/// The kernel puts the lowest number there which makes it nobody else's name (linux/net/core/dev.c,
/// `__dev_alloc_name`).
const NAME: &[u8] = b"bulkhead%d";

/// `struct ifreq` with flags (linux/if.h).
#[repr(C)]
#[derive(Default)]
struct InterfaceRequest {
    name: [u8; 16],
    flags: i16,
    rest: [u8; 22],
}

/// A new TAP, which is down, and its number. It does not block.
pub(super) fn create() -> io::Result<(OwnedFd, u32)> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let tap = openat(CWD, "/dev/net/tun", flags, Mode::empty())?;
    let mut request = InterfaceRequest { flags: FLAGS, ..InterfaceRequest::default() };
    request.name[..NAME.len()].copy_from_slice(NAME);
    // SAFETY: TUNSETIFF reads a `struct ifreq` and writes one, of plain numbers, to the same place.
    unsafe { ioctl(&tap, Updater::<TUNSETIFF, _>::new(&mut request)) }?;
    let end = request.name.iter().position(|&byte| byte == 0).unwrap_or(request.name.len());
    let name = std::str::from_utf8(&request.name[..end]).map_err(io::Error::other)?;
    let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    Ok((tap, name_to_index(&socket, name)?))
}

/// Gives a TAP its MTU, in bytes, and raises it.
pub(super) fn raise(netlink: &mut Netlink, index: u32, mtu: u32) -> Result<(), NetlinkError> {
    netlink.change(set(index, LinkAttribute::Mtu(mtu)))?;
    // Without an address of its own the kernel has nothing to say to the guest.
    let silent = vec![AfSpecInet6::AddrGenMode(In6AddrGenMode::None)];
    let silent = LinkAttribute::AfSpecUnspec(vec![AfSpecUnspec::Inet6(silent)]);
    match netlink.change(set(index, silent)) {
        // It has no IPv6 at all, or not on a link with so short packets.
        Err(NetlinkError::Kernel(Errno::AFNOSUPPORT | Errno::OPNOTSUPP)) => {}
        result => result?,
    }
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.header.flags = LinkFlags::Up;
    message.header.change_mask = LinkFlags::Up;
    netlink.change(Change { message: RouteNetlinkMessage::SetLink(message), flags: 0 })
}

fn set(index: u32, attribute: LinkAttribute) -> Change {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.attributes.push(attribute);
    Change { message: RouteNetlinkMessage::SetLink(message), flags: 0 }
}
