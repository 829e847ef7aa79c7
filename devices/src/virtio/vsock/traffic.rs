//! What goes between the queues and the connections.

use zerocopy::{FromZeros, IntoBytes};

use super::backend::Backend;
use super::connection::{Connection, Fate, Next};
use super::credit::BUF_ALLOC;
use super::packet::{HEADER_LEN, HOST_CID, Header, TYPE_STREAM, op};
use super::table::Rst;
use super::{Queue, QueueError, Vsock};
use crate::GuestMemory;

/// `VIRTIO_VSOCK_EVENT_TRANSPORT_RESET` (virtio 1.2 §5.10.6.7).
const EVENT_TRANSPORT_RESET: u32 = 0;

impl<B: Backend> Vsock<B> {
    pub(super) fn exchange(
        &mut self,
        rx: &mut Queue,
        tx: &mut Queue,
        event: &mut Queue,
        mem: &GuestMemory,
    ) -> Result<(), QueueError> {
        self.send_event(event, mem)?;
        loop {
            self.send(rx, mem)?;
            // What the guest said may call for an answer.
            if !self.receive(tx, mem)? {
                return Ok(());
            }
        }
    }

    /// Tells the driver that all connections are gone, if it is to know.
    fn send_event(&mut self, event: &mut Queue, mem: &GuestMemory) -> Result<(), QueueError> {
        while self.transport_reset {
            let Some(chain) = event.pop(mem)? else {
                if event.enable_notification(mem)? {
                    continue;
                }
                break;
            };
            let bytes = EVENT_TRANSPORT_RESET.to_le_bytes();
            if chain.writable_len() < bytes.len() as u64 {
                event.push(mem, chain.head, 0)?;
                continue;
            }
            chain.write_at(mem, 0, &bytes)?;
            event.push(mem, chain.head, bytes.len() as u32)?;
            self.transport_reset = false;
        }
        Ok(())
    }

    /// Sends packets while there are any and the guest has buffers for them.
    fn send(&mut self, rx: &mut Queue, mem: &GuestMemory) -> Result<(), QueueError> {
        while self.table.has_work() {
            let Some(chain) = rx.pop(mem)? else {
                if rx.enable_notification(mem)? {
                    continue;
                }
                break;
            };
            let room = chain.writable_len().saturating_sub(HEADER_LEN.into());
            if room == 0 {
                // Of no use to anyone: no packet with data fits.
                rx.push(mem, chain.head, 0)?;
                continue;
            }
            let Some(header) = self.next_packet(room) else {
                rx.undo_pop();
                break;
            };
            let len = header.len.get();
            chain.write_at(mem, 0, header.as_bytes())?;
            chain.write_at(mem, HEADER_LEN.into(), &self.data[..len as usize])?;
            rx.push(mem, chain.head, HEADER_LEN + len)?;
        }
        Ok(())
    }

    /// The next packet for a buffer with `room` for data, which is left in `self.data`.
    fn next_packet(&mut self, room: u64) -> Option<Header> {
        loop {
            if let Some(Rst { id, socket_type }) = self.table.next_reset() {
                let mut header = Header::to_guest(self.guest_cid, id, op::RST);
                header.socket_type = socket_type.into();
                return Some(header);
            }
            let id = self.table.next_ready()?;
            self.touched.push(id);
            let connection = self.table.get_mut(id)?;
            let room = room.min(self.data.len() as u64) as usize;
            let header = Header::to_guest(self.guest_cid, id, 0);
            let next = connection.next(header, &mut self.data[..room], &mut self.backend);
            let fate = if matches!(next, Next::Reset) { Fate::Reset } else { Fate::Alive };
            self.table.settle(id, fate);
            if let Next::Packet(header) = next {
                return Some(header);
            }
        }
    }

    /// Takes the packets that the guest sent; says whether there were any.
    fn receive(&mut self, tx: &mut Queue, mem: &GuestMemory) -> Result<bool, QueueError> {
        let mut any = false;
        while !self.table.owes_too_much() {
            let Some(chain) = tx.pop(mem)? else {
                if tx.enable_notification(mem)? {
                    continue;
                }
                break;
            };
            any = true;
            let mut header = Header::new_zeroed();
            if let Some(payload) = chain.readable_len().checked_sub(HEADER_LEN.into()) {
                chain.read_at(mem, 0, header.as_mut_bytes())?;
                // Only an RW packet's data is of interest. One that claims more than it holds, or
                // than could ever be allowed, counts as an unknown operation.
                let mut len = 0;
                if header.op.get() == op::RW {
                    len = header.len.get();
                    if len > BUF_ALLOC || u64::from(len) > payload {
                        header.op = 0.into();
                        len = 0;
                    }
                }
                chain.read_at(mem, HEADER_LEN.into(), &mut self.data[..len as usize])?;
                self.receive_packet(&header, len as usize);
            }
            tx.push(mem, chain.head, 0)?;
        }
        Ok(any)
    }

    /// Takes one packet, its data the first `len` bytes of `self.data`.
    fn receive_packet(&mut self, header: &Header, len: usize) {
        if header.src_cid.get() != self.guest_cid || header.dst_cid.get() != HOST_CID {
            return;
        }
        let id = header.connection();
        let (op, socket_type) = (header.op.get(), header.socket_type.get());
        let connection = self.table.get_mut(id).filter(|connection| !connection.is_lingering());
        match connection {
            Some(connection) if socket_type == TYPE_STREAM => {
                let fate = connection.receive(header, &self.data[..len], &mut self.backend);
                self.table.settle(id, fate);
                self.touched.push(id);
            }
            None if socket_type == TYPE_STREAM && op == op::REQUEST => self.guest_connects(header),
            _ if op == op::RST => {}
            _ => self.table.owe_reset(Rst { id, socket_type }),
        }
    }

    fn guest_connects(&mut self, request: &Header) {
        let id = request.connection();
        // The name may still be taken by a connection that drains.
        if self.table.get_mut(id).is_none()
            && !self.table.is_full()
            && let Ok(stream) = self.backend.connect(id.host_port, id)
        {
            self.table.insert(id, Connection::accepted(id, stream, request));
            self.touched.push(id);
        } else {
            self.table.owe_reset(Rst { id, socket_type: TYPE_STREAM });
        }
    }
}
