//! From the host to the guest.

use super::Connection;
use crate::virtio::vsock::backend::Backend;
use crate::virtio::vsock::buffer::is_transient;
use crate::virtio::vsock::packet::{Header, op, shutdown};

/// The next packet of a connection.
#[derive(Debug)]
pub(in crate::virtio::vsock) enum Next {
    /// Nothing to say now.
    Nothing,
    /// This packet; its data stands at the start of the buffer that was given.
    Packet(Header),
    /// The connection broke: the guest is owed an RST.
    Reset,
}

impl<S> Connection<S> {
    /// Makes the next packet, its data in `room`. `header` is addressed; the rest is filled in.
    pub fn next<B>(&mut self, mut header: Header, room: &mut [u8], backend: &mut B) -> Next
    where
        B: Backend<Stream = S>,
    {
        let op = if std::mem::take(&mut self.pending.request) {
            op::REQUEST
        } else if std::mem::take(&mut self.pending.response) {
            op::RESPONSE
        } else {
            match self.read(room, backend) {
                Ok(0) if std::mem::take(&mut self.pending.shutdown) => {
                    header.flags = self.host_ended.into();
                    op::SHUTDOWN
                }
                Ok(0) if self.ask_for_credit() => op::CREDIT_REQUEST,
                Ok(0) if self.pending.credit_update => op::CREDIT_UPDATE,
                Ok(0) => return Next::Nothing,
                Ok(len) => {
                    header.len = len.into();
                    op::RW
                }
                Err(_) => return Next::Reset,
            }
        };
        header.op = op.into();
        self.credit.announce(&mut header);
        self.pending.credit_update = false;
        Next::Packet(header)
    }

    /// Reads as much as `room` and the guest's buffer hold; 0: nothing (more) to read now.
    fn read<B>(&mut self, room: &mut [u8], backend: &mut B) -> std::io::Result<u32>
    where
        B: Backend<Stream = S>,
    {
        let len = room.len().min(self.credit.available() as usize);
        if !self.pending.read || len == 0 {
            return Ok(0);
        }
        match backend.read(&mut self.stream, &mut room[..len]) {
            Ok(0) => {
                self.host_ended |= shutdown::SEND;
                self.pending.read = false;
                self.pending.shutdown = true;
                Ok(0)
            }
            Ok(read) => {
                let read = read.min(len) as u32;
                self.credit.count_sent(read);
                Ok(read)
            }
            Err(error) if is_transient(&error) => {
                self.pending.read = false;
                Ok(0)
            }
            Err(error) => Err(error),
        }
    }

    /// The stream has something for the guest and the guest has no room: ask it once, then wait.
    fn ask_for_credit(&mut self) -> bool {
        let stuck = std::mem::take(&mut self.pending.read) && self.credit.available() == 0;
        stuck && !std::mem::replace(&mut self.credit_requested, true)
    }
}
