//! A place for a device: its registers on the bus, its interrupt, and its driver's notifications.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arch::VirtioSlot;
use devices::virtio::mmio::{Mmio, QUEUE_NOTIFY, RegisterPage};
use devices::virtio::{ImmediateDevice, VirtioDevice};
use devices::{Bell, GuestMemory, Interrupt, Outcome};

use crate::bus::{Bus, SharedRegisters};
use crate::kvm::{IrqLine, KvmError, Notification, Vm};

/// A free slot. Whoever makes a device first takes the slot's [`Lines`], and then plugs the device in.
pub struct Slot<'a> {
    vm: &'a Vm,
    place: VirtioSlot,
    page: RegisterPage,
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

/// What vCPUs reach of a device: what they write, behind its lock, but for what they write with every interrupt, which the
/// device raises in the middle of its work; and what they read, where KVM does not let them read it without an exit.
pub struct Front<D: VirtioDevice> {
    page: RegisterPage,
    mmio: Arc<Mutex<Mmio<D>>>,
}

impl<D: VirtioDevice> SharedRegisters for Front<D> {
    fn read(&self, offset: u64, data: &mut [u8]) {
        self.page.read(offset, data);
    }

    fn write(&self, offset: u64, data: &[u8]) -> Outcome {
        match self.page.write(offset, data) {
            true => Outcome::Continue,
            false => SharedRegisters::write(&*self.mmio, offset, data),
        }
    }
}

impl<'a> Slot<'a> {
    /// The slot of a VM at this place of its memory map, whose registers are read there.
    pub fn new(vm: &'a Vm, place: VirtioSlot, page: RegisterPage) -> Self {
        Self { vm, place, page }
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
        let plugged = Plugged::new(device, memory, Box::new(irq), queues, Some(self.page));
        bus.insert(self.place.base, self.place.len, Arc::new(plugged.front()));
        plugged
    }
}

impl<D: VirtioDevice> Plugged<D> {
    /// A device and the registers in front of it, which ring the bell of queue 0. Without a page they have one of their own.
    pub fn new(
        device: D,
        memory: GuestMemory,
        irq: Box<dyn Interrupt>,
        queues: Vec<Notification>,
        page: Option<RegisterPage>,
    ) -> Self {
        // Whoever serves any of the queues hears what was written to a register.
        let bell = Box::new(queues[0].clone());
        let mut mmio = Mmio::new(device, memory, irq, bell);
        if let Some(page) = page {
            mmio = mmio.on_page(page);
        }
        Self { mmio: Arc::new(Mutex::new(mmio)), queues }
    }

    /// What vCPUs reach of it.
    pub fn front(&self) -> Front<D> {
        let page = self.lock().page().clone();
        Front { page, mmio: self.mmio.clone() }
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
        if self.lock().notify(queue) {
            // Comes back to us by the event loop, behind all else that is waiting.
            notification.ring();
        }
    }
}
