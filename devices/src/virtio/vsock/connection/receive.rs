//! From the guest to the host.

use super::{Connection, Fate};
use crate::virtio::vsock::backend::{Backend, Interest};
use crate::virtio::vsock::buffer::Flow;
use crate::virtio::vsock::packet::{Header, op, shutdown};

impl<S> Connection<S> {
    /// Takes a packet from the guest; `payload` is what followed the header of an RW packet.
    pub fn receive<B>(&mut self, header: &Header, payload: &[u8], backend: &mut B) -> Fate
    where
        B: Backend<Stream = S>,
    {
        self.credit.update(header);
        if self.credit.available() > 0 {
            self.credit_requested = false;
        }
        match header.op.get() {
            op::RST => self.forget(),
            op::RESPONSE if self.awaiting_response && !self.pending.request => {
                self.awaiting_response = false;
                self.greet(backend);
                Fate::Alive
            }
            _ if self.awaiting_response => Fate::Reset,
            op::RW => self.receive_data(payload, backend),
            op::SHUTDOWN => {
                self.guest_ended |= header.flags.get() & shutdown::BOTH;
                if self.guest_ended & shutdown::RECEIVE != 0 {
                    self.pending.read = false;
                }
                self.after_flush(backend)
            }
            op::CREDIT_UPDATE => Fate::Alive,
            op::CREDIT_REQUEST => {
                self.pending.credit_update = true;
                Fate::Alive
            }
            _ => Fate::Reset,
        }
    }

    /// Takes what the poll of the stream said.
    pub fn ready<B>(&mut self, ready: Interest, backend: &mut B) -> Fate
    where
        B: Backend<Stream = S>,
    {
        if self.awaiting_response {
            return if ready.hang_up { self.withdraw() } else { Fate::Alive };
        }
        self.pending.read |= ready.readable && self.may_read();
        if !ready.writable || self.buffer.is_empty() {
            return Fate::Alive;
        }
        let flow = self.buffer.flush(|data| backend.write(&mut self.stream, data));
        self.account(flow);
        self.after_flush(backend)
    }

    fn receive_data<B>(&mut self, payload: &[u8], backend: &mut B) -> Fate
    where
        B: Backend<Stream = S>,
    {
        let len = payload.len() as u32;
        if self.guest_ended & shutdown::SEND != 0 || !self.credit.count_received(len) {
            return Fate::Reset;
        }
        if self.host_ended & shutdown::RECEIVE != 0 {
            // Sent before the guest heard that nobody listens any more.
            self.credit.count_forwarded(len);
        } else {
            let flow = self.buffer.send(payload, |data| backend.write(&mut self.stream, data));
            self.account(flow);
        }
        Fate::Alive
    }

    /// The line with which Firecracker's hybrid vsock answers `CONNECT port`.
    fn greet<B>(&mut self, backend: &mut B)
    where
        B: Backend<Stream = S>,
    {
        let line = format!("OK {}\n", self.id.host_port);
        let flow = self.buffer.greet(line.as_bytes(), |data| backend.write(&mut self.stream, data));
        self.account(flow);
    }

    fn account(&mut self, flow: Flow) {
        match flow {
            Flow::Sent(bytes) => self.credit.count_forwarded(bytes),
            Flow::Broken(bytes) => {
                // The host's reader is gone, but what it wrote before is still to be delivered:
                // end this direction only. The other ends when the stream does.
                self.credit.count_forwarded(bytes);
                self.host_ended |= shutdown::RECEIVE;
                self.pending.shutdown = true;
            }
        }
        self.pending.credit_update |= self.credit.worth_announcing();
    }

    /// What the guest ended takes effect when all it sent before has gone out.
    fn after_flush<B>(&mut self, backend: &mut B) -> Fate
    where
        B: Backend<Stream = S>,
    {
        if !self.buffer.is_empty() {
            return Fate::Alive;
        }
        if self.guest_ended & shutdown::SEND != 0 && !self.write_closed {
            self.write_closed = true;
            backend.shutdown_write(&mut self.stream);
        }
        match (self.lingering, self.guest_ended) {
            (true, _) => Fate::Over,
            (false, shutdown::BOTH) => Fate::Reset,
            (false, _) => Fate::Alive,
        }
    }
}
