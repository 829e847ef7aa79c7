//! Who talks with whom: what a guest may answer, and what goes on when the address of a name is no longer good.

use std::net::IpAddr;
use std::time::Duration;

use super::packet::{TCP, UDP};
use super::table::Table;
use crate::limits::{FLOW_TICK, FLOWS, PING_IDLE, TCP_IDLE, TCP_OPENING, UDP_IDLE};

/// Two ends of a protocol. A ping has its identifier as the peer's port, and no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Flow {
    pub protocol: u8,
    pub own: IpAddr,
    pub own_port: u16,
    pub peer: IpAddr,
    pub peer_port: u16,
}

/// Flows that began in one direction.
#[derive(Debug)]
pub(super) struct Flows(Table<Flow, ()>);

impl Flows {
    pub fn new() -> Self {
        Self(Table::new(FLOWS))
    }

    /// One begins. One that is known lasts at least as long as a new one.
    pub fn begin(&mut self, flow: Flow, now: Duration) {
        let until = now + if flow.protocol == TCP { TCP_OPENING } else { idle(flow) };
        match self.0.until(&flow) {
            Some(known) if now <= known => self.put_off(flow, known, until),
            _ => self.0.insert(flow, (), until),
        }
    }

    /// The peer said something: says whether that was part of a flow.
    ///
    /// What the guest says puts nothing off: it could hold a way open to a peer that has long gone, and whose address
    /// is somebody else's.
    pub fn heard(&mut self, flow: Flow, now: Duration) -> bool {
        let Some(known) = self.0.until(&flow).filter(|until| now <= *until) else {
            return false;
        };
        self.put_off(flow, known, now + idle(flow));
        true
    }

    fn put_off(&mut self, flow: Flow, known: Duration, until: Duration) {
        if until.saturating_sub(known) >= FLOW_TICK {
            self.0.renew(&flow, until);
        }
    }

    pub fn has(&mut self, flow: Flow, now: Duration) -> bool {
        self.0.get(&flow, now).is_some()
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

fn idle(flow: Flow) -> Duration {
    match flow.protocol {
        TCP => TCP_IDLE,
        UDP => UDP_IDLE,
        _ => PING_IDLE,
    }
}
