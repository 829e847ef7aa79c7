//! A socket of rtnetlink(7): a request, then its answer.

use std::net::IpAddr;
use std::os::fd::OwnedFd;

use rustix::io::{Errno, Result};
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, connect, recv, send, socket_with,
};

use super::Link;
use super::message::{self, Request};

/// The longest datagram of a list that the kernel makes for whoever reads with as much (linux/net/netlink/af_netlink.c,
/// `netlink_recvmsg`).
const LONGEST: usize = 32 << 10;

/// A connection to the kernel's routing.
pub(super) struct Netlink {
    socket: OwnedFd,
    sequence: u32,
    buffer: Vec<u8>,
}

impl Netlink {
    pub(super) fn open() -> Result<Self> {
        // NETLINK_ROUTE is 0, which `None` says.
        let socket =
            socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
        // Port 0 is the kernel: nobody else is heard.
        connect(&socket, &SocketAddrNetlink::new(0, 0))?;
        Ok(Self { socket, sequence: 0, buffer: vec![0; LONGEST] })
    }

    /// Changes something, and waits until it is done.
    pub(super) fn change(&mut self, request: Request) -> Result<()> {
        self.ask(request, |_| {})
    }

    /// All network devices.
    pub(super) fn links(&mut self) -> Result<Vec<Link>> {
        let mut links = Vec::new();
        self.ask(message::list_links(), |body| links.extend(message::link(body)))?;
        Ok(links)
    }

    /// Whether packets to an address stay on this machine.
    pub(super) fn is_own(&mut self, ip: IpAddr) -> bool {
        let mut own = false;
        // An address that there is no way to is not its own either.
        self.ask(message::way_to(ip), |body| own = message::is_local(body)).is_ok() && own
    }

    /// Sends a request; `answer` takes what comes before the end of the answers to it.
    fn ask(&mut self, request: Request, mut answer: impl FnMut(&[u8])) -> Result<()> {
        self.sequence += 1;
        send(&self.socket, &request.finish(self.sequence), SendFlags::empty())?;
        loop {
            let received = match recv(&self.socket, &mut self.buffer[..], RecvFlags::empty()) {
                Err(Errno::INTR) => continue,
                result => result?.0,
            };
            for (header, body) in message::messages(&self.buffer[..received]) {
                if header.sequence != self.sequence {
                    continue;
                }
                match i32::from(header.kind) {
                    libc::NLMSG_ERROR | libc::NLMSG_DONE => {
                        return match message::errno(body) {
                            0 => Ok(()),
                            number => Err(Errno::from_raw_os_error(number)),
                        };
                    }
                    _ => answer(body),
                }
            }
        }
    }
}
