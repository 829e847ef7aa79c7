//! From the guest to the back end.

use super::backend::{Backend, Refusal, Sent};
use super::packet::{self, HEADER_LEN, MAX_PACKET};
use super::{Net, Queue, QueueError};
use crate::GuestMemory;
use crate::virtio::queue::Chain;

impl<B: Backend> Net<B> {
    /// Sends what the driver has made available, as far as back end, limits and the turn's share go. A frame that may
    /// not go is dropped: the driver gets its buffers back in any case.
    pub(super) fn transmit(
        &mut self,
        queue: &mut Queue,
        mem: &GuestMemory,
    ) -> Result<(), QueueError> {
        (self.blocked, self.tx.ready_at) = (false, None);
        let mut chain = std::mem::take(&mut self.chain);
        while !self.blocked {
            // Without a link nothing goes, and nothing waits.
            if self.link_up {
                self.tx.ready_at = self.tx.next_turn(&self.backend);
                if self.tx.ready_at.is_some() {
                    break;
                }
            }
            if !queue.pop_into(&mut chain, mem)? {
                if queue.enable_notification(mem)? {
                    continue;
                }
                break;
            }
            let packet = if self.link_up { self.take(&chain, mem)? } else { None };
            let sent = match packet {
                Some(len) => self.send(len),
                None => Ok(Sent::Dropped),
            };
            match sent {
                Ok(Sent::Taken) => {}
                Ok(Sent::Dropped) => self.counters.tx.dropped += 1,
                Err(Refusal::WouldBlock) => {
                    queue.undo_pop();
                    self.blocked = true;
                    continue;
                }
                Err(Refusal::Gone) => {
                    self.counters.tx.dropped += 1;
                    self.lose_link();
                }
            }
            queue.push(mem, chain.head, 0)?;
        }
        self.chain = chain;
        // Of the last one only a part may have gone.
        if self.link_up
            && let Err(refusal) = self.backend.flush()
        {
            self.refused(refusal);
        }
        Ok(())
    }

    /// Sends the packet of this length that was copied. One that is dropped counts for the limits as any other.
    fn send(&mut self, len: usize) -> Result<Sent, Refusal> {
        let sent = self.backend.send(&mut self.tx.packet[..len])?;
        self.tx.charge(&self.backend, len);
        if sent == Sent::Taken {
            self.counters.tx.count(len - HEADER_LEN);
        }
        Ok(sent)
    }

    /// Copies a packet; `None`: it is none that may go.
    fn take(&mut self, chain: &Chain, mem: &GuestMemory) -> Result<Option<usize>, QueueError> {
        let len = chain.readable_len();
        if !(HEADER_LEN as u64..=MAX_PACKET as u64).contains(&len) {
            return Ok(None);
        }
        let packet = &mut self.tx.packet[..len as usize];
        chain.read_at(mem, 0, packet)?;
        Ok(packet::check(packet, &self.from_guest).then_some(packet.len()))
    }

    fn refused(&mut self, refusal: Refusal) {
        match refusal {
            Refusal::WouldBlock => self.blocked = true,
            Refusal::Gone => self.lose_link(),
        }
    }
}
