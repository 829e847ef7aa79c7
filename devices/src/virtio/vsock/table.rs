//! The connections of a device, the order in which they are served, and the RSTs it owes.

use std::collections::{HashMap, VecDeque};

use super::backend::ConnectionId;
use super::connection::{Connection, Fate};
use super::packet::TYPE_STREAM;
use crate::limits::{MAX_CONNECTIONS, MAX_RESETS};

/// Host-side ports of connections that the host opens start here: far above the ports that
/// programs listen at.
pub const FIRST_HOST_PORT: u32 = 1 << 30;
/// One past the last of them.
pub const END_HOST_PORT: u32 = 1 << 31;

/// An RST for a connection that the device does not (or no longer) know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rst {
    pub id: ConnectionId,
    /// That of the packet it answers: a packet of an unknown type is answered in kind (virtio 1.2
    /// §5.10.6.4).
    pub socket_type: u16,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Table<S> {
    connections: HashMap<ConnectionId, Connection<S>>,
    /// Connections with something to send, next one first. Each stands here once at most, and
    /// goes to the end after one packet.
    ready: VecDeque<ConnectionId>,
    resets: VecDeque<Rst>,
}

impl<S> Table<S> {
    pub fn new() -> Self {
        Self { connections: HashMap::new(), ready: VecDeque::new(), resets: VecDeque::new() }
    }

    pub fn get_mut(&mut self, id: ConnectionId) -> Option<&mut Connection<S>> {
        self.connections.get_mut(&id)
    }

    /// Whether the guest knows of a connection, or is to hear of one.
    pub fn is_known_to_guest(&self) -> bool {
        !self.resets.is_empty() || self.connections.values().any(|c| !c.is_lingering())
    }

    pub fn is_full(&self) -> bool {
        self.connections.len() >= MAX_CONNECTIONS
    }

    /// Whether the guest has to take some of its RSTs before it is heard again.
    pub fn owes_too_much(&self) -> bool {
        self.resets.len() >= MAX_RESETS
    }

    /// Whether there is, or may be, a packet for the guest.
    pub fn has_work(&self) -> bool {
        !self.resets.is_empty() || !self.ready.is_empty()
    }

    /// Bytes from the guest that no stream has taken yet.
    pub fn buffered(&self) -> usize {
        self.connections.values().map(Connection::buffered).sum()
    }

    /// Adds a connection, whose name is free, to a table that is not full.
    pub fn insert(&mut self, id: ConnectionId, connection: Connection<S>) {
        self.connections.insert(id, connection);
        self.schedule(id);
    }

    /// The first port, from `from` on, with which a connection to `guest_port` has a free name,
    /// and where to go on looking the next time.
    pub fn free_host_port(&self, from: u32, guest_port: u32) -> (u32, u32) {
        let mut port = from;
        loop {
            let next = if port + 1 < END_HOST_PORT { port + 1 } else { FIRST_HOST_PORT };
            // Ends: there are more ports than connections.
            if !self.connections.contains_key(&ConnectionId { host_port: port, guest_port }) {
                return (port, next);
            }
            port = next;
        }
    }

    /// Queues a connection that has something to send, unless it is queued.
    pub fn schedule(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(&id)
            && connection.has_pending()
            && !std::mem::replace(&mut connection.scheduled, true)
        {
            self.ready.push_back(id);
        }
    }

    /// The connection whose turn it is. Whoever serves it schedules it again.
    pub fn next_ready(&mut self) -> Option<ConnectionId> {
        let id = self.ready.pop_front()?;
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.scheduled = false;
        }
        Some(id)
    }

    pub fn next_reset(&mut self) -> Option<Rst> {
        self.resets.pop_front()
    }

    /// Owes the guest an RST. Each call is due to one packet of the guest's, of which none is
    /// taken while [`Table::owes_too_much`], or to the end of one connection: so the list is
    /// bounded by `MAX_RESETS + MAX_CONNECTIONS`.
    pub fn owe_reset(&mut self, rst: Rst) {
        self.resets.push_back(rst);
    }

    /// Does to the connection what became of it.
    pub fn settle(&mut self, id: ConnectionId, fate: Fate) {
        if fate == Fate::Alive {
            self.schedule(id);
            return;
        }
        if self.connections.remove(&id).is_some_and(|connection| connection.scheduled) {
            self.ready.retain(|ready| *ready != id);
        }
        if fate == Fate::Reset {
            self.owe_reset(Rst { id, socket_type: TYPE_STREAM });
        }
    }

    /// Time goes by for all that wait for the guest's answer; says whether any waits on.
    pub fn tick(&mut self) -> bool {
        let waiting = |c: &Connection<S>| c.is_awaiting_response();
        let asked: Vec<_> =
            self.connections.iter().filter(|(_, c)| waiting(c)).map(|(id, _)| *id).collect();
        for id in asked {
            if let Some(connection) = self.connections.get_mut(&id) {
                let fate = connection.tick();
                self.settle(id, fate);
            }
        }
        self.connections.values().any(waiting)
    }

    /// The guest forgets everything. Connections that still hold bytes of it drain.
    pub fn forget_all(&mut self) -> Vec<ConnectionId> {
        self.ready.clear();
        self.resets.clear();
        self.connections.retain(|_, connection| {
            connection.scheduled = false;
            connection.forget() == Fate::Alive
        });
        self.connections.keys().copied().collect()
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.connections.len()
    }

    #[cfg(test)]
    pub fn owed(&self) -> usize {
        self.resets.len()
    }

    #[cfg(test)]
    pub fn ready_len(&self) -> usize {
        self.ready.len()
    }
}
