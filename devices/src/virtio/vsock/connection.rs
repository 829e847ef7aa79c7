//! One connection: what it has to tell the guest, and what it does with what the guest says.
//!
//! ```text
//!  guest connects                                   host connects
//!  REQUEST ─▶ stream opened                         "CONNECT port" ─▶ awaiting response
//!             RESPONSE ─▶ guest                     REQUEST ─▶ guest
//!                    │                                      │ RESPONSE: "OK port" ─▶ stream
//!                    ▼                                      ▼
//!                 ┌─────────────────── open ───────────────────┐
//!   end of stream │                                            │ guest's SHUTDOWN
//!                 ▼                                            ▼
//!         SHUTDOWN(send) ─▶ guest                   buffer flushed, then write end closed;
//!                                                   both directions: RST ─▶ guest, gone
//! ```
//!
//! A guest that leaves a connection half open holds one of its own [`MAX_CONNECTIONS`](crate::limits::MAX_CONNECTIONS),
//! nothing of the host's. While the host's program waits for the guest's RESPONSE, it may leave, and after some ticks
//! ([`Connection::tick`]) it is sent away: else a guest that never answers could keep it, and its place, for ever.

mod receive;
mod send;

use super::backend::{Backend, ConnectionId, Interest};
use super::buffer::Buffer;
use super::credit::Credit;
use super::packet::{Header, shutdown};
use crate::limits::MAX_REQUEST_TICKS;
pub(super) use send::Next;

/// Packets that the connection owes the guest.
#[derive(Debug, Default)]
struct Pending {
    request: bool,
    response: bool,
    /// The stream may have data or its end.
    read: bool,
    shutdown: bool,
    credit_update: bool,
}

impl Pending {
    fn any(&self) -> bool {
        self.request || self.response || self.read || self.shutdown || self.credit_update
    }
}

/// What becomes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It goes on.
    Alive,
    /// It is over, and the guest knows.
    Over,
    /// It is over, and the guest is owed an RST.
    Reset,
}

/// A connection's state.
#[derive(Debug)]
pub(super) struct Connection<S> {
    id: ConnectionId,
    stream: S,
    interest: Interest,
    credit: Credit,
    pending: Pending,
    buffer: Buffer,
    /// The host asked, the guest has not answered.
    awaiting_response: bool,
    /// Ticks since then.
    ticks: u8,
    /// Directions that the guest has ended ([`shutdown`], from its point of view).
    guest_ended: u32,
    /// Directions that the host has ended (from its point of view).
    host_ended: u32,
    /// The stream was told that no more will come.
    write_closed: bool,
    /// The guest's room ran out and it was asked to say when there is some again.
    credit_requested: bool,
    /// The guest has forgotten the connection; what it sent before is still on its way.
    lingering: bool,
    /// Stands in the queue of those that have something to send.
    pub scheduled: bool,
}

impl<S> Connection<S> {
    /// The guest asked with `request`, and the host agreed.
    pub fn accepted(id: ConnectionId, stream: S, request: &Header) -> Self {
        let mut connection = Self::new(id, stream);
        connection.pending.response = true;
        connection.credit.update(request);
        connection
    }

    /// The host asks; the guest has to agree.
    pub fn requested(id: ConnectionId, stream: S) -> Self {
        let mut connection = Self::new(id, stream);
        connection.pending.request = true;
        connection.awaiting_response = true;
        connection
    }

    fn new(id: ConnectionId, stream: S) -> Self {
        Self {
            id,
            stream,
            interest: Interest::default(),
            credit: Credit::default(),
            pending: Pending::default(),
            buffer: Buffer::default(),
            awaiting_response: false,
            ticks: 0,
            guest_ended: 0,
            host_ended: 0,
            write_closed: false,
            credit_requested: false,
            lingering: false,
            scheduled: false,
        }
    }

    /// Whether there is, or may be, a packet for the guest.
    pub fn has_pending(&self) -> bool {
        self.pending.any()
    }

    /// Whether the guest has forgotten the connection.
    pub fn is_lingering(&self) -> bool {
        self.lingering
    }

    /// Bytes from the guest that the stream has not taken.
    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// The guest has forgotten the connection (RST or a reset of the device). What it sent before
    /// was accepted, so it still goes out: a Linux guest sends RST 8 s after `close` when the
    /// host's reader is slow.
    pub fn forget(&mut self) -> Fate {
        if self.buffer.is_empty() {
            return Fate::Over;
        }
        self.lingering = true;
        self.pending = Pending::default();
        self.guest_ended = shutdown::BOTH;
        Fate::Alive
    }

    /// Tells the back end what the connection waits for now, if that has changed. Something that
    /// is already known to be readable is not polled: it waits for a buffer of the guest's.
    pub fn sync_interest<B>(&mut self, backend: &mut B)
    where
        B: Backend<Stream = S>,
    {
        let interest = Interest {
            readable: self.may_read() && self.credit.available() > 0 && !self.pending.read,
            writable: !self.buffer.is_empty(),
            hang_up: self.awaiting_response,
        };
        if interest != self.interest {
            self.interest = interest;
            backend.set_interest(&mut self.stream, self.id, interest);
        }
    }

    /// Whether the host's program waits for the guest's answer.
    pub fn is_awaiting_response(&self) -> bool {
        self.awaiting_response
    }

    /// Time goes by for a program that waits for the guest's answer.
    pub fn tick(&mut self) -> Fate {
        if !self.awaiting_response {
            return Fate::Alive;
        }
        self.ticks += 1;
        if self.ticks < MAX_REQUEST_TICKS { Fate::Alive } else { self.withdraw() }
    }

    /// The host no longer asks for the connection.
    fn withdraw(&self) -> Fate {
        // A guest that was not asked has nothing to forget.
        if self.pending.request { Fate::Over } else { Fate::Reset }
    }

    /// Whether the direction from host to guest is open.
    fn may_read(&self) -> bool {
        !self.awaiting_response
            && self.host_ended & shutdown::SEND == 0
            && self.guest_ended & shutdown::RECEIVE == 0
    }
}
