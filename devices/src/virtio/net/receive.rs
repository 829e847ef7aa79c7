//! From the back end to the guest.

use super::backend::{Backend, Refusal};
use super::config::F_MRG_RXBUF;
use super::packet::{self, HEADER_LEN, MAX_PACKET};
use super::{Net, Queue, QueueError};
use crate::GuestMemory;
use crate::virtio::queue::Chain;

/// What became of a packet.
enum Fate {
    /// The guest has it.
    Delivered,
    /// No buffers can take it, or not those that the guest has for it.
    Dropped,
    /// It waits for buffers.
    Held,
}

impl<B: Backend> Net<B> {
    /// Receives what there is, as far as the guest's buffers, limits and the turn's share go. A packet without buffers is
    /// held, and nothing more received until it has some.
    pub(super) fn receive(
        &mut self,
        queue: &mut Queue,
        mem: &GuestMemory,
    ) -> Result<(), QueueError> {
        self.rx.ready_at = None;
        while !queue.is_exhausted() {
            if self.held == 0 && !self.receive_one(queue) {
                break;
            }
            match self.deliver(queue, mem)? {
                Fate::Delivered => {
                    self.counters.rx.count(self.held - HEADER_LEN);
                    self.held = 0;
                }
                Fate::Dropped => self.drop_held(queue),
                Fate::Held => break,
            }
        }
        Ok(())
    }

    /// Receives a packet that may go to the guest, and holds it. False: there is none now.
    fn receive_one(&mut self, queue: &mut Queue) -> bool {
        while self.link_up && !queue.is_exhausted() {
            self.rx.ready_at = self.rx.next_turn(&self.backend);
            if self.rx.ready_at.is_some() {
                return false;
            }
            match self.backend.receive(&mut self.rx.packet) {
                Ok(len) => {
                    self.rx.charge(&self.backend, len);
                    let packet = self.rx.packet.get_mut(..len).unwrap_or_default();
                    if packet::check(packet, len.saturating_sub(HEADER_LEN), &self.to_guest) {
                        self.held = len;
                        return true;
                    }
                    self.drop_held(queue);
                }
                Err(Refusal::WouldBlock) => return false,
                Err(Refusal::Gone) => self.lose_link(),
            }
        }
        false
    }

    /// A peer whose packets are all dropped must not keep the device busy: a share has room for as many of the longest as
    /// a queue has buffers.
    fn drop_held(&mut self, queue: &mut Queue) {
        self.held = 0;
        self.counters.rx.dropped += 1;
        queue.charge(MAX_PACKET as u64);
    }

    /// Writes the packet that is held to the next buffers, one or, if that was agreed, as many as it takes.
    fn deliver(&mut self, queue: &mut Queue, mem: &GuestMemory) -> Result<Fate, QueueError> {
        let mut chains = std::mem::take(&mut self.chains);
        let result = self.deliver_to(&mut chains, queue, mem);
        self.chains = chains;
        result
    }

    fn deliver_to(
        &mut self,
        chains: &mut Vec<Chain>,
        queue: &mut Queue,
        mem: &GuestMemory,
    ) -> Result<Fate, QueueError> {
        let mergeable = self.features & F_MRG_RXBUF != 0;
        let (mut room, mut taken) = (0, 0);
        while room < self.held as u64 {
            let full = taken >= if mergeable { queue.state().size.into() } else { 1 };
            if taken == chains.len() {
                chains.push(Chain::default());
            }
            let chain = &mut chains[taken];
            if full || !queue.pop_into(chain, mem)? {
                // Asked for before the chains are put back: it is the one behind them that is waited for.
                if !full && queue.enable_notification(mem)? {
                    continue;
                }
                (0..taken).for_each(|_| queue.undo_pop());
                return Ok(if full { Fate::Dropped } else { Fate::Held });
            }
            if chain.writable.is_empty() {
                let problem = "a buffer for a packet must be writable (virtio 1.2 §5.1.6.3)";
                return Err(QueueError::Layout { head: chain.head, problem });
            }
            room += chain.writable_len();
            taken += 1;
        }
        let packet = &mut self.rx.packet[..self.held];
        // A queue has at most 32,768 buffers.
        packet::set_buffers(packet, taken as u16);
        let mut rest = &*packet;
        self.used.clear();
        for chain in &chains[..taken] {
            let len = chain.writable_len().min(rest.len() as u64) as usize;
            let (part, behind) = rest.split_at(len);
            chain.write_at(mem, 0, part)?;
            self.used.push((chain.head, len as u32));
            rest = behind;
        }
        queue.push_all(mem, &self.used)?;
        Ok(Fate::Delivered)
    }
}
