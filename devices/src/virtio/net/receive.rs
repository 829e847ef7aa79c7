//! From the back end to the guest.

use vm_memory::VolatileSlice;

use super::backend::{Backend, Refusal};
use super::buffers::Buffers;
use super::config::F_MRG_RXBUF;
use super::packet::{self, HEADER_LEN, MAX_PACKET};
use super::{Net, Queue, QueueError};
use crate::GuestMemory;
use crate::virtio::queue::Finder;

/// What became of a packet.
enum Fate {
    /// The guest has it.
    Delivered,
    /// No buffers can take it, or not those that the guest has for it.
    Dropped,
    /// It waits for buffers.
    Held,
}

/// What was received, and where it is: in the device's own buffer, but for the first bytes of the frame, so many, which are
/// where the guest's buffers have them.
struct Received {
    len: usize,
    lent: usize,
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
        let mut buffers = std::mem::take(&mut self.buffers);
        let result = self.receive_into(&mut buffers, queue, &mut Finder::new(mem));
        // Those that were taken for a packet that did not come.
        buffers.put_back(queue);
        self.buffers = buffers;
        result
    }

    fn receive_into(
        &mut self,
        buffers: &mut Buffers,
        queue: &mut Queue,
        mem: &mut Finder<'_>,
    ) -> Result<(), QueueError> {
        let mut lent = Vec::new();
        while !queue.is_exhausted() {
            let received = match self.held {
                0 => self.receive_one(buffers, queue, mem, &mut lent)?,
                len => Some(Received { len, lent: 0 }),
            };
            let Some(received) = received else { break };
            let len = received.len;
            self.held = 0;
            match self.deliver(received, buffers, queue, mem)? {
                Fate::Delivered => self.counters.rx.count(len - HEADER_LEN),
                Fate::Dropped => self.dropped(queue),
                Fate::Held => {
                    self.held = len;
                    break;
                }
            }
        }
        Ok(())
    }

    /// Receives a packet that may go to the guest. `None`: there is none now.
    fn receive_one<'a>(
        &mut self,
        buffers: &mut Buffers,
        queue: &mut Queue,
        mem: &mut Finder<'a>,
        lent: &mut Vec<VolatileSlice<'a>>,
    ) -> Result<Option<Received>, QueueError> {
        while self.link_up && !queue.is_exhausted() {
            self.rx.ready_at = self.rx.next_turn(&self.backend);
            if self.rx.ready_at.is_some() {
                break;
            }
            lent.clear();
            if self.backend.reaches_guest_memory() {
                while buffers.len() < self.ahead && buffers.take(queue, mem)? {}
                buffers.lend(mem, HEADER_LEN, lent)?;
            }
            match self.backend.receive(&mut self.rx.packet, lent) {
                Ok(len) => {
                    self.rx.charge(&self.backend, len);
                    let frame = len.saturating_sub(HEADER_LEN);
                    if packet::check(&mut self.rx.packet, frame, &self.to_guest) {
                        let room: usize = lent.iter().map(|slice| slice.len()).sum();
                        return Ok(Some(Received { len, lent: frame.min(room) }));
                    }
                    self.dropped(queue);
                }
                Err(Refusal::WouldBlock) => break,
                Err(Refusal::Gone) => self.lose_link(),
            }
        }
        Ok(None)
    }

    /// A peer whose packets are all dropped must not keep the device busy: a share has room for as many of the longest as
    /// a queue has buffers.
    fn dropped(&mut self, queue: &mut Queue) {
        self.counters.rx.dropped += 1;
        queue.charge(MAX_PACKET as u64);
    }

    /// Gives the packet to the driver in the next buffers, one or, if that was agreed, as many as it takes. One that is
    /// held is in the device's own buffer, all of it.
    fn deliver(
        &mut self,
        received: Received,
        buffers: &mut Buffers,
        queue: &mut Queue,
        mem: &mut Finder<'_>,
    ) -> Result<Fate, QueueError> {
        let Received { len, lent } = received;
        let most = match self.features & F_MRG_RXBUF {
            0 => 1,
            _ => queue.state().size.into(),
        };
        while buffers.room() < len as u64 {
            let full = buffers.len() >= most;
            if full || !buffers.take(queue, mem)? {
                // Asked for before the buffers are put back: it is the one behind them that is waited for.
                if !full && queue.enable_notification(mem.memory())? {
                    continue;
                }
                let place = &mut self.rx.packet[HEADER_LEN..][..lent];
                buffers.read(mem.memory(), HEADER_LEN, place)?;
                buffers.put_back(queue);
                return Ok(if full { Fate::Dropped } else { Fate::Held });
            }
        }
        let count = buffers.count(len);
        // Short packets come between long ones, and buffers that were taken too early cost less than a copy.
        self.ahead = count.max(self.ahead - 1);
        // A queue has at most 32,768 buffers.
        packet::set_buffers(&mut self.rx.packet, count as u16);
        let (header, frame) = self.rx.packet[..len].split_at(HEADER_LEN);
        buffers.write(mem.memory(), 0, header)?;
        buffers.write(mem.memory(), HEADER_LEN + lent, &frame[lent..])?;
        buffers.give(queue, mem, len)?;
        Ok(Fate::Delivered)
    }
}
