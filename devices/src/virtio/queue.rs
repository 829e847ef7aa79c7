//! The split virtqueue, device side (virtio 1.2 §2.7).
//!
//! Three areas in guest memory make up a queue. The driver writes chains of buffers to the *descriptor table* and
//! offers them in the *available ring*; the device fills or reads the buffers and gives them back in the *used ring*.
//!
//! ```text
//! descriptor table   [addr u64 | len u32 | flags u16 | next u16] × size
//! available ring     flags u16 | idx u16 | head u16 × size                | used_event u16
//! used ring          flags u16 | idx u16 | (head u32, written u32) × size | avail_event u16
//! ```
//!
//! All three are the driver's to scribble on while the device works. So each value is copied out once, then checked,
//! and the copy is used; the device's own positions are kept here and never read back from memory.

mod budget;
mod chain;
#[cfg(test)]
mod concurrency_tests;
mod deferred;
#[cfg(test)]
pub(crate) mod driver;
mod error;
#[cfg(test)]
mod exhaustive_tests;
mod finder;
#[cfg(test)]
mod oracle_tests;
mod state;
#[cfg(test)]
mod tests;

use std::num::Wrapping;
use std::sync::atomic::{Ordering, fence};

use vm_memory::{Address, Bytes, GuestAddress};

use crate::GuestMemory;
use budget::Budget;
pub use chain::{Buffer, Chain};
pub use deferred::Token;
use deferred::UnderWay;
pub use error::QueueError;
pub(crate) use finder::Finder;
pub use state::{Area, QueueState};

/// VIRTQ_AVAIL_F_NO_INTERRUPT (virtio 1.2 §2.7.6): without event index, the driver wants no interrupt.
const AVAIL_F_NO_INTERRUPT: u16 = 1;
/// Where `idx` stands in either ring, after `flags`.
const IDX: u64 = 2;
/// Where the elements start in either ring, after `flags` and `idx`.
const RING: u64 = 4;
/// Size of an available ring's element.
const AVAIL_ELEMENT: u64 = 2;
/// Size of a used ring's element.
const USED_ELEMENT: u64 = size_of::<[u32; 2]>() as u64;

/// One virtqueue.
#[derive(Debug)]
pub struct Queue {
    state: QueueState,
    /// How far the driver had come when its index was read last.
    seen: u16,
    /// What one notification may still take; `None`: no limit.
    budget: Option<Budget>,
    under_way: UnderWay,
}

impl Queue {
    /// A queue that the driver has not set up. `max_size` is a power of two (virtio 1.2 §2.7), at most 32768.
    pub fn new(max_size: u16) -> Self {
        debug_assert!(max_size.is_power_of_two());
        Self::with(QueueState::new(max_size))
    }

    /// A queue with a saved state, which is checked as if the driver had just set it up.
    pub fn from_state(state: QueueState, mem: &GuestMemory) -> Result<Self, QueueError> {
        state.check(mem)?;
        Ok(Self::with(state))
    }

    fn with(state: QueueState) -> Self {
        let seen = state.next_avail;
        Self { state, seen, budget: None, under_way: UnderWay::default() }
    }

    /// The positions and addresses.
    pub fn state(&self) -> &QueueState {
        &self.state
    }

    /// Whether the driver has set the queue up.
    pub fn is_ready(&self) -> bool {
        self.state.ready
    }

    /// Sets the number of descriptors, of a queue that is not ready.
    pub fn set_size(&mut self, size: u16) -> Result<(), QueueError> {
        self.state.set_size(size)
    }

    /// Sets the address of one of the three areas, of a queue that is not ready.
    pub fn set_address(&mut self, area: Area, address: u64) {
        self.state.set_address(area, address);
    }

    /// The address of one of the three areas.
    pub fn address(&self, area: Area) -> u64 {
        self.state.address(area)
    }

    /// Puts the queue into use if its three areas are aligned and inside guest memory, or out of use.
    pub fn set_ready(&mut self, ready: bool, mem: &GuestMemory) -> Result<(), QueueError> {
        self.state.set_ready(ready, mem)?;
        self.seen = self.state.next_avail;
        self.abandon();
        Ok(())
    }

    /// Whether VIRTIO_F_EVENT_IDX was negotiated.
    pub fn set_event_index(&mut self, on: bool) {
        self.state.event_index = on;
    }

    /// Whether VIRTIO_F_INDIRECT_DESC was negotiated.
    pub fn set_indirect(&mut self, on: bool) {
        self.state.indirect = on;
    }

    /// Forgets all that the driver set up.
    pub fn reset(&mut self) {
        self.abandon();
        self.state = QueueState::new(self.state.max_size);
        self.seen = self.state.next_avail;
        self.budget = None;
    }

    /// The next chain that the driver made available; each descriptor is read once, checked and copied. `None`: the
    /// ring is empty, not ready, or this notification took its share.
    pub fn pop(&mut self, mem: &GuestMemory) -> Result<Option<Chain>, QueueError> {
        let mut chain = Chain::default();
        Ok(self.pop_into(&mut chain, &mut Finder::new(mem))?.then_some(chain))
    }

    /// The same into a chain that is there, whose memory is used again. False: there is none.
    pub(crate) fn pop_into(
        &mut self,
        chain: &mut Chain,
        mem: &mut Finder<'_>,
    ) -> Result<bool, QueueError> {
        if !self.state.ready || self.is_exhausted() {
            return Ok(false);
        }
        if self.seen == self.state.next_avail && self.look(mem.memory())? == 0 {
            return Ok(false);
        }
        let slot = u64::from(self.state.next_avail % self.state.size);
        let head = mem.read(at(self.state.driver, RING + slot * AVAIL_ELEMENT)?)?;
        chain.read(mem, &self.state, u16::from_le(head))?;
        self.state.next_avail = self.state.next_avail.wrapping_add(1);
        self.spend(chain.readable_len() + chain.writable_len());
        Ok(true)
    }

    /// Puts back the chain popped last, for a device that can't serve it yet. It is popped again, and read again. So many
    /// calls put back so many chains.
    pub fn undo_pop(&mut self) {
        self.state.next_avail = self.state.next_avail.wrapping_sub(1);
    }

    /// Gives a popped chain back, of whose writable part the first `written` bytes were written.
    pub fn push(&mut self, mem: &GuestMemory, head: u16, written: u32) -> Result<(), QueueError> {
        self.push_all(&mut Finder::new(mem), &[(head, written)])
    }

    /// The same for several (head, written), of which the driver sees all or none: it may look at any time.
    pub(crate) fn push_all(
        &mut self,
        mem: &mut Finder<'_>,
        used: &[(u16, u32)],
    ) -> Result<(), QueueError> {
        let mut next_used = self.state.next_used;
        for &(head, written) in used {
            if head >= self.state.size {
                return Err(QueueError::Head { head, size: self.state.size });
            }
            let slot = u64::from(next_used % self.state.size);
            let element = at(self.state.device, RING + slot * USED_ELEMENT)?;
            mem.write(element, [u32::from(head).to_le(), written.to_le()])?;
            next_used = next_used.wrapping_add(1);
        }
        self.state.next_used = next_used;
        // Release: the driver that sees the new index also sees the elements and the buffers.
        let idx = at(self.state.device, IDX)?;
        mem.memory().store(self.state.next_used.to_le(), idx, Ordering::Release)?;
        Ok(())
    }

    /// Whether the driver wants an interrupt for what was pushed since this was last asked (virtio 1.2 §2.7.7).
    pub fn needs_interrupt(&mut self, mem: &GuestMemory) -> Result<bool, QueueError> {
        let (old, new) = (self.state.signalled_used, self.state.next_used);
        if !self.state.ready || old == new {
            return Ok(false);
        }
        self.state.signalled_used = new;
        // The new used index must be visible before the driver's wish is read: the driver writes its wish and then
        // looks at the index, so one of the two sees the other. Only a full barrier orders a store before a load.
        fence(Ordering::SeqCst);
        if self.state.event_index {
            let offset = RING + u64::from(self.state.size) * AVAIL_ELEMENT;
            let used_event = self.load(mem, self.state.driver, offset)?;
            Ok(crossed(used_event, old, new))
        } else {
            let flags = self.load(mem, self.state.driver, 0)?;
            Ok(flags & AVAIL_F_NO_INTERRUPT == 0)
        }
    }

    /// Asks for a notification of the next available chain. True: chains are there already, for which none will come,
    /// so look again.
    pub fn enable_notification(&mut self, mem: &GuestMemory) -> Result<bool, QueueError> {
        if !self.state.ready || self.is_exhausted() {
            return Ok(false);
        }
        if self.state.event_index {
            let offset = RING + u64::from(self.state.size) * USED_ELEMENT;
            let avail_event = at(self.state.device, offset)?;
            mem.store(self.state.next_avail.to_le(), avail_event, Ordering::Relaxed)?;
            // As in `needs_interrupt`, the other way round: the wish must be visible before the index is read.
            fence(Ordering::SeqCst);
        }
        let more = self.look(mem)? != 0;
        if more {
            // A driver that moves its index to and fro must not keep the device asking.
            self.spend(0);
        }
        Ok(more)
    }

    /// Takes each available chain, has it answered, and gives it back with the number of bytes that were written.
    pub(crate) fn for_each_chain(
        &mut self,
        mem: &GuestMemory,
        mut answer: impl FnMut(&Chain) -> Result<u32, QueueError>,
    ) -> Result<(), QueueError> {
        loop {
            while let Some(chain) = self.pop(mem)? {
                let written = answer(&chain)?;
                self.push(mem, chain.head, written)?;
            }
            if !self.enable_notification(mem)? {
                return Ok(());
            }
        }
    }

    /// Looks how far the driver is; how many chains are available. A batch of them costs one look.
    fn look(&mut self, mem: &GuestMemory) -> Result<u16, QueueError> {
        // Acquire: what the driver wrote before it moved the index is seen.
        let idx = at(self.state.driver, IDX)?;
        let idx = u16::from_le(mem.load(idx, Ordering::Acquire)?);
        let pending = idx.wrapping_sub(self.state.next_avail);
        if pending > self.state.size {
            return Err(QueueError::AvailableIndex {
                idx,
                next: self.state.next_avail,
                size: self.state.size,
            });
        }
        self.seen = idx;
        Ok(pending)
    }

    fn load(&self, mem: &GuestMemory, area: u64, offset: u64) -> Result<u16, QueueError> {
        Ok(u16::from_le(mem.load(at(area, offset)?, Ordering::Relaxed)?))
    }
}

/// Whether moving from ring position `old` to `new` passes the position after `event` (virtio 1.2 §2.7.7.2,
/// `vring_need_event`). Positions wrap at 65536.
fn crossed(event: u16, old: u16, new: u16) -> bool {
    Wrapping(new) - Wrapping(event) - Wrapping(1) < Wrapping(new) - Wrapping(old)
}

fn at(area: u64, offset: u64) -> Result<GuestAddress, QueueError> {
    GuestAddress(area).checked_add(offset).ok_or(QueueError::Wraps { address: area })
}
