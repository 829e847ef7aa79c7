//! From the guest to the back end.

use vm_memory::VolatileSlice;

use super::backend::{Backend, Refusal, Sent};
use super::packet::{self, HEADER_LEN, MAX_PACKET};
use super::{Net, Queue, QueueError};
use crate::GuestMemory;
use crate::virtio::queue::{Chain, Finder};

/// Up to this length, in bytes, a packet is copied: to gather its pieces would cost as much.
const COPIED: usize = 4096;

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
        let (mut lent, mem) = (Vec::new(), &mut Finder::new(mem));
        while !self.blocked {
            // Without a link nothing goes, and nothing waits.
            if self.link_up {
                self.tx.ready_at = self.tx.next_turn(&self.backend);
                if self.tx.ready_at.is_some() {
                    break;
                }
            }
            if !queue.pop_into(&mut chain, mem)? {
                if queue.enable_notification(mem.memory())? {
                    continue;
                }
                break;
            }
            let packet = if self.link_up { self.take(&chain, mem.memory())? } else { None };
            let sent = match packet {
                Some(copied) => self.send(&chain, copied, mem, &mut lent)?,
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
            queue.push_all(mem, &[(chain.head, 0)])?;
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

    /// Sends the packet of which so much was copied. One that is dropped counts for the limits as any other.
    fn send<'a>(
        &mut self,
        chain: &Chain,
        copied: usize,
        mem: &mut Finder<'a>,
        lent: &mut Vec<VolatileSlice<'a>>,
    ) -> Result<Result<Sent, Refusal>, QueueError> {
        let len = chain.readable_len() as usize;
        lent.clear();
        chain.lend_readable(mem, copied as u64, (len - copied) as u64, lent)?;
        let sent = self.backend.send(&mut self.tx.packet[..copied], lent);
        if let Ok(sent) = sent {
            self.tx.charge(&self.backend, len);
            if sent == Sent::Taken {
                self.counters.tx.count(len - HEADER_LEN);
            }
        }
        Ok(sent)
    }

    /// Copies a packet, or of a long one that nobody looks into its header; how much. `None`: it is none that may go.
    fn take(&mut self, chain: &Chain, mem: &GuestMemory) -> Result<Option<usize>, QueueError> {
        let len = chain.readable_len();
        if !(HEADER_LEN as u64..=MAX_PACKET as u64).contains(&len) {
            return Ok(None);
        }
        let len = len as usize;
        let is_lent = len > COPIED && self.backend.reaches_guest_memory();
        let packet = &mut self.tx.packet[..if is_lent { HEADER_LEN } else { len }];
        chain.read_at(mem, 0, packet)?;
        let may_go = packet::check(packet, len - HEADER_LEN, &self.from_guest);
        Ok(may_go.then_some(packet.len()))
    }

    fn refused(&mut self, refusal: Refusal) {
        match refusal {
            Refusal::WouldBlock => self.blocked = true,
            Refusal::Gone => self.lose_link(),
        }
    }
}
