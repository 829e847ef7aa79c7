//! A place for a device: its registers on the bus, its interrupt, and its driver's notifications.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arch::VirtioSlot;
use devices::virtio::mmio::{InterruptStatus, Mmio, QUEUE_NOTIFY};
use devices::virtio::{ImmediateDevice, VirtioDevice};
use devices::{Bell, GuestMemory, Interrupt, Outcome};

use crate::bus::{Bus, SharedRegisters};
use crate::kvm::{IrqLine, KvmError, Notification, Vm};

/// A free slot. Whoever makes a device first takes the slot's [`Lines`], and then plugs the device in.
pub struct Slot<'a> {
    vm: &'a Vm,
    place: VirtioSlot,
}

/// What goes between a device and its driver past the registers. All are event descriptors: another process may hold
/// the device's end of them.
pub struct Lines {
    /// Interrupts the driver.
    pub irq: IrqLine,
    /// Readable when the driver notified the queue of this number.
    pub queues: Vec<Notification>,
}

/// A device behind its registers, which the vCPUs have hold of too.
pub struct Plugged<D: VirtioDevice> {
    mmio: Arc<Mutex<Mmio<D>>>,
    queues: Vec<Notification>,
}

/// What vCPUs reach of a device: most registers behind its lock, but not those that they use with every interrupt, which
/// the device raises in the middle of its work.
pub struct Front<D: VirtioDevice> {
    interrupts: InterruptStatus,
    mmio: Arc<Mutex<Mmio<D>>>,
}

impl<D: VirtioDevice> SharedRegisters for Front<D> {
    fn read(&self, offset: u64, data: &mut [u8]) {
        if !self.interrupts.read(offset, data) {
            SharedRegisters::read(&*self.mmio, offset, data);
        }
    }

    fn write(&self, offset: u64, data: &[u8]) -> Outcome {
        match self.interrupts.write(offset, data) {
            true => Outcome::Continue,
            false => SharedRegisters::write(&*self.mmio, offset, data),
        }
    }
}

impl<'a> Slot<'a> {
    /// The slot of a VM at this place of its memory map.
    pub fn new(vm: &'a Vm, place: VirtioSlot) -> Self {
        Self { vm, place }
    }

    /// Makes the lines of a device that has `queues` queues, one at least.
    pub fn lines(&self, queues: usize) -> Result<Lines, KvmError> {
        let notify = self.place.base + QUEUE_NOTIFY;
        let queues = (0..queues as u32).map(|queue| self.vm.on_write(notify, queue));
        let queues = queues.collect::<Result<_, KvmError>>()?;
        Ok(Lines { irq: self.vm.irq_line(self.place.gsi)?, queues })
    }

    /// Puts a device with these lines on the bus.
    pub fn plug<D>(self, device: D, lines: Lines, bus: &mut Bus) -> Plugged<D>
    where
        D: VirtioDevice + 'static,
    {
        let Lines { irq, queues } = lines;
        let memory = self.vm.memory().clone();
        let plugged = Plugged::new(device, memory, Box::new(irq), queues);
        bus.insert(self.place.base, self.place.len, Arc::new(plugged.front()));
        plugged
    }
}

impl<D: VirtioDevice> Plugged<D> {
    /// A device and the registers in front of it, which ring the bell of queue 0.
    pub fn new(
        device: D,
        memory: GuestMemory,
        irq: Box<dyn Interrupt>,
        queues: Vec<Notification>,
    ) -> Self {
        // Whoever serves any of the queues hears what was written to a register.
        let bell = Box::new(queues[0].clone());
        let mmio = Arc::new(Mutex::new(Mmio::new(device, memory, irq, bell)));
        Self { mmio, queues }
    }

    /// What vCPUs reach of it.
    pub fn front(&self) -> Front<D> {
        let interrupts = self.lock().interrupt_status().clone();
        Front { interrupts, mmio: self.mmio.clone() }
    }

    /// The device, its registers, and their lock.
    pub fn mmio(&self) -> &Arc<Mutex<Mmio<D>>> {
        &self.mmio
    }

    /// The device and its registers. A panic in a device ends the process in a release build; in a test, the next user
    /// may go on.
    pub fn lock(&self) -> MutexGuard<'_, Mmio<D>> {
        self.mmio.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The driver's notifications.
    pub fn queues(&self) -> &[Notification] {
        &self.queues
    }

    /// Has the event loop come back for what a turn without a notification has left over.
    pub fn call_for_backlog(&self) {
        if self.lock().has_backlog() {
            self.queues[0].ring();
        }
    }
}

impl<D: ImmediateDevice> Plugged<D> {
    /// The driver notified a queue: has the device process it.
    pub fn notify(&self, queue: usize) {
        let Some(notification) = self.queues.get(queue) else { return };
        notification.clear();
        if self.lock().notify(queue) {
            // Comes back to us by the event loop, behind all else that is waiting.
            notification.ring();
        }
    }
}
