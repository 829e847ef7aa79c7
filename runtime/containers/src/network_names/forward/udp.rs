//! Datagrams: whoever sends some to a port has a socket of his own towards the container, at which answers arrive.

use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, connect, recv, recvfrom, send,
    sendto, socket_with,
};

use super::Source;

/// Peers of one container at once. Of more, the one that was silent for longest is forgotten.
pub(super) const MAX_FLOWS: usize = 256;

/// A peer of whom nothing has come and nothing went to is forgotten: longer than a firewall remembers one
/// (linux `net/netfilter/nf_conntrack_proto_udp.c`, 30 s).
const SILENCE: Duration = Duration::from_secs(90);

/// The longest datagram, in bytes: the length in its header (RFC 768).
const LONGEST: usize = 65_535;

/// All ports, and who calls them.
pub(super) struct Datagrams {
    ports: Vec<(OwnedFd, SocketAddr)>,
    flows: Vec<Flow>,
    buffer: Box<[u8]>,
}

impl Default for Datagrams {
    fn default() -> Self {
        Self { ports: Vec::new(), flows: Vec::new(), buffer: vec![0; LONGEST].into() }
    }
}

/// Who calls a port.
struct Flow {
    port: usize,
    peer: SocketAddr,
    inner: OwnedFd,
    last: Instant,
}

impl Datagrams {
    pub(super) fn open(&mut self, socket: OwnedFd, target: SocketAddr) {
        self.ports.push((socket, target));
    }

    pub(super) fn wait_for<'a>(&'a self, add: &mut impl FnMut(Source, BorrowedFd<'a>, PollFlags)) {
        for (at, (socket, _)) in self.ports.iter().enumerate() {
            add(Source::Port(at), socket.as_fd(), PollFlags::IN);
        }
        for (at, flow) in self.flows.iter().enumerate() {
            add(Source::Flow(at), flow.inner.as_fd(), PollFlags::IN);
        }
    }

    /// When somebody is to be forgotten, if nothing happens until then.
    pub(super) fn next_end(&self) -> Option<Instant> {
        self.flows.iter().map(|flow| flow.last + SILENCE).min()
    }

    /// Leads one datagram to the container. What cannot be sent is lost, as on any way.
    pub(super) fn take(&mut self, at: usize) {
        let received = recvfrom(&self.ports[at].0, &mut self.buffer[..], RecvFlags::DONTWAIT);
        let Ok((length, _, Some(peer))) = received else { return };
        let Ok(peer) = SocketAddr::try_from(peer) else { return };
        let is_his = |flow: &Flow| flow.port == at && flow.peer == peer;
        let found = self.flows.iter().position(is_his).or_else(|| self.meet(at, peer));
        if let Some(flow) = found.and_then(|found| self.flows.get_mut(found)) {
            flow.last = Instant::now();
            let _ = send(&flow.inner, &self.buffer[..length], SendFlags::DONTWAIT);
        }
    }

    fn meet(&mut self, port: usize, peer: SocketAddr) -> Option<usize> {
        let target = self.ports[port].1;
        let family = if target.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let inner = socket_with(family, SocketType::DGRAM, SocketFlags::CLOEXEC, None).ok()?;
        connect(&inner, &target).ok()?;
        let flow = Flow { port, peer, inner, last: Instant::now() };
        if self.flows.len() < MAX_FLOWS {
            self.flows.push(flow);
            return Some(self.flows.len() - 1);
        }
        let oldest = (0..self.flows.len()).min_by_key(|&at| self.flows[at].last)?;
        self.flows[oldest] = flow;
        Some(oldest)
    }

    /// Leads one answer back.
    pub(super) fn answer(&mut self, at: usize) {
        let flow = &mut self.flows[at];
        // That nobody is there is an error of the socket's, which this takes from it.
        if let Ok((length, _)) = recv(&flow.inner, &mut self.buffer[..], RecvFlags::DONTWAIT) {
            flow.last = Instant::now();
            let socket = &self.ports[flow.port].0;
            let _ = sendto(socket, &self.buffer[..length], SendFlags::DONTWAIT, &flow.peer);
        }
    }

    pub(super) fn forget_idle(&mut self) {
        let now = Instant::now();
        self.flows.retain(|flow| flow.last + SILENCE > now);
    }
}
