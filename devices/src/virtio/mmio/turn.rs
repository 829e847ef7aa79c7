//! The work of a device that answers its chains later than it finds them, by a thread of its own. The thread holds the
//! transport's lock to take a chain and to answer one, and not while it works for it:
//!
//! ```text
//! begin_turn   take → (work) → answer, take → (work) → answer, take → nothing there, or the share is used up
//! end_turn
//! ```
//!
//! A reset by the driver is complete, and the status reads 0, once the chains that were under way have come back: until
//! then the device may still write to their buffers. They are never used, and nothing is taken meanwhile. A driver that
//! goes on without waiting (virtio 1.2 §2.4.2 says it should wait) finds a device that takes no step with it.

use super::{Mmio, status};
use crate::GuestMemory;
use crate::virtio::VirtioDevice;
use crate::virtio::queue::{Queue, QueueError, Token};

impl<D: VirtioDevice> Mmio<D> {
    /// The guest's memory, for work without the lock.
    pub fn memory(&self) -> &GuestMemory {
        &self.mem
    }

    /// Begins a turn and its share of work. False: there is nothing to do, for the device does not run.
    pub fn begin_turn(&mut self) -> bool {
        self.catch_up();
        if self.is_running() {
            self.in_turn = true;
            self.pending = 0;
            self.queues.iter_mut().for_each(Queue::refill_budget);
        }
        self.in_turn
    }

    /// Has the device take a chain. `None`: none is there, or the turn is over.
    pub fn take<R>(
        &mut self,
        f: impl FnOnce(&mut D, &mut [Queue], &GuestMemory) -> Result<Option<R>, QueueError>,
    ) -> Option<R> {
        if !self.in_turn || !self.is_running() {
            return None;
        }
        let result = f(&mut self.device, &mut self.queues, &self.mem);
        result.unwrap_or_else(|error| {
            self.fail(&error);
            None
        })
    }

    /// Gives back a chain of queue `queue`, of whose writable part so many bytes were written, or because of which the
    /// device can't go on.
    pub fn answer(&mut self, queue: usize, token: Token, written: Result<u32, QueueError>) {
        let runs = status::is_running(self.negotiation.status);
        let Some(queue) = self.queues.get_mut(queue) else { return };
        let result = match written {
            Ok(written) if runs => queue.push_deferred(&self.mem, token, written),
            Ok(_) => {
                queue.drop_deferred(token);
                Ok(())
            }
            Err(error) => {
                queue.drop_deferred(token);
                if runs { Err(error) } else { Ok(()) }
            }
        };
        if let Err(error) = result {
            self.fail(&error);
        }
        if self.resetting && !self.is_under_way() {
            self.resetting = false;
            self.negotiation.status = 0;
        }
        // Its driver waits for that.
        if !self.is_running() || !self.queues.iter().all(Queue::is_ready) {
            self.show();
        }
    }

    /// Ends the turn: interrupts as needed. True: the share of work was used up, begin another.
    pub fn end_turn(&mut self) -> bool {
        if std::mem::take(&mut self.in_turn) {
            self.finish(Ok(()));
        }
        self.has_backlog()
    }

    /// Whether a turn has begun and not ended.
    pub fn is_in_turn(&self) -> bool {
        self.in_turn
    }

    /// Ends the turn of a thread that does not come back in time: what it has answered so far is told to the driver,
    /// and what it answers later is lost.
    pub fn abandon_turn(&mut self) {
        self.end_turn();
        self.queues.iter_mut().for_each(Queue::abandon);
    }

    pub(super) fn is_under_way(&self) -> bool {
        self.queues.iter().any(Queue::is_under_way)
    }
}
