//! The memory-mapped transport, version 2 (virtio 1.2 §4.2): one page of registers in front of a device.
//!
//! It carries what is the same for every virtio device: status, features, queue set-up, notifications, interrupts.

mod access;
mod page;
mod registers;
mod state;
mod status;
#[cfg(test)]
mod tests;
mod turn;

use crate::virtio::queue::{Queue, QueueError};
use crate::virtio::{F_EVENT_IDX, F_INDIRECT_DESC, F_VERSION_1, ImmediateDevice, VirtioDevice};
use crate::{Bell, Device, GuestMemory, Interrupt, RestoreError};
pub use page::{RegisterPage, RegisterPages};
use registers::{INTERRUPT_CONFIG, INTERRUPT_USED};
pub use registers::{LEN, QUEUE_NOTIFY};
pub use state::{MmioState, Negotiation};

/// A virtio device and its registers.
pub struct Mmio<D: VirtioDevice> {
    device: D,
    mem: GuestMemory,
    irq: Box<dyn Interrupt>,
    /// What the driver reads.
    page: RegisterPage,
    /// Calls the thread that serves the device.
    bell: Box<dyn Bell>,
    queues: Vec<Queue>,
    negotiation: Negotiation,
    /// The device was told of DRIVER_OK, and not reset since.
    active: bool,
    /// The driver has reset the device, which was not told yet.
    reset_due: bool,
    /// The driver has reset the device while chains were under way, which have not all come back.
    resetting: bool,
    /// A turn has begun and not ended.
    in_turn: bool,
    /// Queues that were notified and not yet looked at, or not to the end; one bit each.
    pending: u64,
    paused: bool,
}

impl<D: VirtioDevice> Mmio<D> {
    /// Puts `device` behind the transport. `irq` is an edge-triggered line; `bell` calls whoever is to call
    /// [`notify`](Self::notify), of whichever queue, or to begin a turn, because the driver has written to a register.
    pub fn new(device: D, mem: GuestMemory, irq: Box<dyn Interrupt>, bell: Box<dyn Bell>) -> Self {
        let queues: Vec<_> = device.queue_max_sizes().iter().map(|&max| Queue::new(max)).collect();
        debug_assert!(queues.len() <= u64::BITS as usize, "a bit of `pending` each");
        let negotiation = Negotiation::default();
        let mmio = Self {
            device,
            mem,
            irq,
            page: RegisterPage::alone(),
            bell,
            queues,
            negotiation,
            active: false,
            reset_due: false,
            resetting: false,
            in_turn: false,
            pending: 0,
            paused: false,
        };
        mmio.show();
        mmio
    }

    /// The device, to look at.
    pub fn device(&self) -> &D {
        &self.device
    }

    /// The device, told of all that the driver asked for, to change what its back end says; call
    /// [`config_changed`](Self::config_changed) if that shows in the configuration space.
    pub fn device_mut(&mut self) -> &mut D {
        self.catch_up();
        &mut self.device
    }

    /// Whether a queue needs another [`notify`](Self::notify), whichever call left the work over: the event loop asks
    /// this after [`with_device`](Self::with_device).
    pub fn has_backlog(&self) -> bool {
        self.pending != 0 && self.is_running()
    }

    /// Lets the device handle an event of its back end, and interrupts afterwards as needed. `None`: the device is not
    /// running, or the driver broke the rules and it needs a reset.
    pub fn with_device<R>(
        &mut self,
        f: impl FnOnce(&mut D, &mut [Queue], &GuestMemory) -> Result<R, QueueError>,
    ) -> Option<R> {
        self.catch_up();
        if !self.is_running() {
            return None;
        }
        self.queues.iter_mut().for_each(Queue::refill_budget);
        let result = f(&mut self.device, &mut self.queues, &self.mem);
        self.finish(result)
    }

    /// The device's configuration space changed: tells the driver.
    pub fn config_changed(&mut self) {
        self.negotiation.config_generation = self.negotiation.config_generation.wrapping_add(1);
        self.show();
        if status::is_running(self.negotiation.status) {
            self.interrupt(INTERRUPT_CONFIG);
        }
    }

    /// Whether the machine stands still.
    pub fn is_paused(&self) -> bool {
        self.paused
    }

    fn is_running(&self) -> bool {
        status::is_running(self.negotiation.status) && !self.paused
    }

    /// Tells the device what the driver has written to the status register since the last call.
    fn catch_up(&mut self) {
        if self.resetting {
            return;
        }
        let runs = status::is_running(self.negotiation.status);
        // A driver that gave up, or broke the rules, comes back through a reset only: there is nobody left to serve.
        if std::mem::take(&mut self.reset_due) || (self.active && !runs) {
            self.device.reset();
            self.active = false;
        }
        if runs && !self.active {
            self.active = true;
            self.device.activate(self.negotiation.driver_features, &self.queues);
        }
    }

    /// What a driver sees of a reset: at once, all of it.
    fn reset_registers(&mut self) {
        self.queues.iter_mut().for_each(Queue::reset);
        self.pending = 0;
        self.active = false;
        // The generation goes on counting: a driver must not take the new contents for the old.
        let config_generation = self.negotiation.config_generation;
        self.page.set_reasons(0);
        self.negotiation = Negotiation { config_generation, ..Negotiation::default() };
    }

    /// The feature bits that the driver can choose from.
    fn offered_features(&self) -> u64 {
        self.device.features() | F_VERSION_1 | F_INDIRECT_DESC | F_EVENT_IDX
    }

    /// Notes that the driver notified a queue, which may not be there. True: it is, and the device runs.
    fn mark(&mut self, queue: usize) -> bool {
        let exists = queue < self.queues.len() && status::is_running(self.negotiation.status);
        if exists {
            self.pending |= 1 << queue;
        }
        exists
    }

    /// After the device had the queues: interrupts for what it used, notes what it left over.
    fn finish<R>(&mut self, result: Result<R, QueueError>) -> Option<R> {
        let mut used = false;
        let result = result.and_then(|value| {
            for (index, queue) in self.queues.iter_mut().enumerate() {
                used |= queue.needs_interrupt(&self.mem)?;
                self.pending |= u64::from(queue.is_exhausted()) << index;
            }
            Ok(value)
        });
        if used {
            self.interrupt(INTERRUPT_USED);
        }
        if self.device.take_config_change() {
            self.config_changed();
        }
        result.map_err(|error| self.fail(&error)).ok()
    }

    /// The driver broke the rules: nothing more happens until it resets the device (virtio 1.2 §2.1.2).
    fn fail(&mut self, error: &QueueError) {
        log::debug!("virtio device {}: {error}; it needs a reset", self.device.device_id());
        let running = status::is_running(self.negotiation.status);
        self.negotiation.status |= status::NEEDS_RESET;
        self.show();
        self.pending = 0;
        if running {
            self.interrupt(INTERRUPT_CONFIG);
        }
    }

    fn interrupt(&mut self, reason: u32) {
        self.page.add_reason(reason);
        self.irq.raise();
    }
}

impl<D: ImmediateDevice> Mmio<D> {
    /// The driver notified a queue (an ioeventfd was signalled), or the bell rang. True: there was more than one call
    /// may do, so that no guest can hold the event loop; call again, after other events had their turn.
    #[must_use = "true: the driver's remaining chains wait for another call"]
    pub fn notify(&mut self, queue: usize) -> bool {
        self.mark(queue);
        self.catch_up();
        self.process_pending();
        self.has_backlog()
    }

    /// Has the device look at each pending queue once.
    fn process_pending(&mut self) {
        for index in 0..self.queues.len() {
            if !self.is_running() {
                return;
            }
            if self.pending & (1 << index) != 0 {
                self.pending &= !(1 << index);
                self.queues.iter_mut().for_each(Queue::refill_budget);
                let result = self.device.process(index, &mut self.queues, &self.mem);
                self.finish(result);
            }
        }
    }
}

impl<D: VirtioDevice> Device for Mmio<D> {
    type State = MmioState<D::State>;

    /// Notifications are kept until `resume`.
    fn pause(&mut self) {
        self.catch_up();
        self.paused = true;
        self.device.pause();
    }

    /// Has every queue looked at, by whoever hears the bell: a notification may have come, or been lost with a
    /// snapshot, while the device stood still.
    fn resume(&mut self) {
        self.paused = false;
        self.device.resume();
        if self.page.reasons() != 0 {
            self.irq.raise();
        }
        for queue in 0..self.queues.len() {
            self.mark(queue);
        }
        if self.has_backlog() {
            self.bell.ring();
        }
    }

    fn reset(&mut self) {
        self.reset_registers();
        self.reset_due = false;
        self.resetting = false;
        self.device.reset();
        self.show();
    }

    fn save(&self) -> Self::State {
        MmioState {
            negotiation: Negotiation {
                interrupt_status: self.page.reasons(),
                ..self.negotiation.clone()
            },
            queues: self.queues.iter().map(|queue| queue.state().clone()).collect(),
            device: self.device.save(),
        }
    }

    fn restore(&mut self, state: &Self::State) -> Result<(), RestoreError> {
        state.negotiation.check(self.offered_features())?;
        let queues = state.check_queues(&self.queues, &self.mem)?;
        self.device.restore(&state.device)?;
        self.queues = queues;
        self.negotiation = state.negotiation.clone();
        self.page.set_reasons(state.negotiation.interrupt_status);
        // `pause` has told the device so before it was saved.
        self.active = status::is_running(self.negotiation.status);
        self.reset_due = false;
        self.resetting = false;
        self.pending = 0;
        self.show();
        Ok(())
    }
}
