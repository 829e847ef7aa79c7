//! Published ports of an ordinary user's container: what comes to the host's sockets is led to the container's address, by
//! sockets in the network namespace of this process. There is one thread, which waits for nothing but all of it.

mod tcp;
mod udp;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::net::listen;
use rustix::net::sockopt::set_socket_reuseaddr;

use crate::network::Protocol;
use crate::network::ports::Reserved;
use host::poll;
use tcp::Streams;
use udp::Datagrams;

/// Connections that may wait to be taken: linux/include/linux/socket.h, SOMAXCONN before 5.4.
const BACKLOG: i32 = 128;

/// What there is to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Control,
    Listener(usize),
    Pair(usize),
    Port(usize),
    Flow(usize),
}

/// All ports of a container.
pub struct Forwarder {
    streams: Streams,
    datagrams: Datagrams,
    /// Ports that lead nowhere: nobody else gets them all the same.
    _others: Vec<OwnedFd>,
}

impl Forwarder {
    /// Of these ports: those at addresses of IPv4 lead to the first address, those of IPv6 to the second, if there are such.
    pub fn new(ports: Reserved, v4: Option<IpAddr>, v6: Option<IpAddr>) -> Self {
        let (mut streams, mut datagrams) = (Streams::default(), Datagrams::default());
        let mut others = Vec::new();
        for (socket, port) in ports.into_sockets() {
            let is_v6 = rustix::net::getsockname(&socket)
                .ok()
                .and_then(|name| SocketAddr::try_from(name).ok())
                .is_some_and(|address| address.is_ipv6());
            let target = if is_v6 { v6 } else { v4 };
            let Some(target) = target.map(|ip| SocketAddr::new(ip, port.container_port)) else {
                others.push(socket);
                continue;
            };
            match (serve(&socket, port.protocol), port.protocol) {
                (Err(error), _) => {
                    log::warn!(
                        "port {} leads nowhere: {error}",
                        port.host_port.unwrap_or_default()
                    );
                    others.push(socket);
                }
                (Ok(()), Protocol::Tcp) => streams.listen(socket, target),
                (Ok(()), Protocol::Udp) => datagrams.open(socket, target),
            }
        }
        Self { streams, datagrams, _others: others }
    }

    /// Serves them until there is something at `control`, or its end.
    pub fn run(mut self, control: BorrowedFd<'_>) -> io::Result<()> {
        loop {
            let deadline = self.datagrams.next_end();
            let (mut sources, mut fds) = (vec![Source::Control], Vec::new());
            fds.push(PollFd::from_borrowed_fd(control, PollFlags::IN));
            let mut add = |source, fd, events| {
                sources.push(source);
                fds.push(PollFd::from_borrowed_fd(fd, events));
            };
            self.streams.wait_for(&mut add);
            self.datagrams.wait_for(&mut add);
            poll::wait_until(&mut fds, deadline)?;
            let mut ready: Vec<Source> = sources
                .into_iter()
                .zip(&fds)
                .filter(|(_, fd)| !fd.revents().is_empty())
                .map(|(source, _)| source)
                .collect();
            drop(fds);
            // A pair has two descriptors.
            ready.dedup();
            for source in ready {
                match source {
                    Source::Control => return Ok(()),
                    Source::Listener(at) => self.streams.accept(at),
                    Source::Pair(at) => self.streams.carry(at),
                    Source::Port(at) => self.datagrams.take(at),
                    Source::Flow(at) => self.datagrams.answer(at),
                }
            }
            self.streams.forget_ended();
            self.datagrams.forget_idle();
        }
    }
}

/// From now on the socket takes what comes, and has its port for itself.
fn serve(socket: &OwnedFd, protocol: Protocol) -> io::Result<()> {
    fcntl_setfl(socket, fcntl_getfl(socket)? | OFlags::NONBLOCK)?;
    match protocol {
        Protocol::Tcp => listen(socket, BACKLOG)?,
        Protocol::Udp => set_socket_reuseaddr(socket, false)?,
    }
    Ok(())
}

#[cfg(test)]
mod tests;
