//! The virtio devices of a machine: made from the configuration, put into slots, woken by queues.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use arch::VirtioSlot;
use devices::Bell;
use devices::virtio::VirtioDevice;
use devices::virtio::block::Block;
use devices::virtio::mmio::{Mmio, QUEUE_NOTIFY};
use devices::virtio::rng::{Entropy, Rng};
use devices::virtio::vsock::Vsock;

use super::drive;
use crate::bus::Bus;
use crate::config::Config;
use crate::error::VmmError;
use crate::event::{Poll, Source};
use crate::kvm::{Notification, Vm};
use crate::native::layout;
use crate::vsock::{Sockets, UnixBackend};

/// The slots that a configuration needs: drives, vsock, entropy, in this order.
pub fn slots(config: &Config) -> Result<Vec<VirtioSlot>, VmmError> {
    let wanted =
        config.drives.len() + usize::from(config.vsock.is_some()) + usize::from(config.entropy);
    let too_many = VmmError::TooManyDevices { wanted, most: layout::VIRTIO_SLOTS };
    (0..wanted).map(layout::virtio_slot).collect::<Option<_>>().ok_or(too_many)
}

/// All virtio devices of a machine.
pub struct VirtioDevices {
    attached: Vec<Attached>,
    vsock: Option<AttachedVsock>,
}

/// The socket device, which has work of its own besides its queues.
struct AttachedVsock {
    sockets: Sockets,
    device: Arc<Mutex<Mmio<Vsock<UnixBackend>>>>,
    /// Its place among the attached.
    index: usize,
}

/// A device as the event loop knows it.
struct Attached {
    device: Arc<dyn Notified>,
    /// The driver's notifications, one descriptor for each queue.
    queues: Vec<Notification>,
}

/// A device whose queues the driver notifies, whatever its kind.
trait Notified: Send + Sync {
    /// The driver notified a queue. True: call again after other events had their turn.
    fn notify(&self, queue: usize) -> bool;
}

impl<D: VirtioDevice> Notified for Mutex<Mmio<D>> {
    fn notify(&self, queue: usize) -> bool {
        self.lock().unwrap_or_else(PoisonError::into_inner).notify(queue)
    }
}

impl VirtioDevices {
    /// Makes the devices that the configuration asks for, each in its slot.
    pub fn new(
        config: &Config,
        slots: &[VirtioSlot],
        vm: &Vm,
        mmio: &mut Bus,
        poll: &Poll,
    ) -> Result<VirtioDevices, VmmError> {
        let mut board = Board { slots: slots.iter(), vm, mmio, poll, attached: Vec::new() };
        for drive in &config.drives {
            let disk = drive::open(drive)?;
            board.attach(Block::new(disk, &drive.id, drive.read_only))?;
        }
        let mut vsock = None;
        if let Some(config) = &config.vsock {
            let (sockets, backend) = Sockets::listen(&config.uds_path)?;
            poll.add(&sockets, Source::Vsock).map_err(VmmError::system("epoll"))?;
            let index = board.attached.len();
            let device = board.attach(Vsock::new(config.guest_cid.into(), backend))?;
            vsock = Some(AttachedVsock { sockets, device, index });
        }
        if config.entropy {
            board.attach(Rng::new(Box::new(HostEntropy)))?;
        }
        Ok(VirtioDevices { attached: board.attached, vsock })
    }

    /// Something happened at the sockets of the vsock device.
    pub fn vsock_ready(&mut self) -> io::Result<()> {
        let Some(vsock) = &mut self.vsock else { return Ok(()) };
        let mut mmio = vsock.device.lock().unwrap_or_else(PoisonError::into_inner);
        vsock.sockets.serve(&mut mmio)?;
        if mmio.has_backlog() {
            self.attached[vsock.index].queues[0].ring();
        }
        Ok(())
    }

    /// Once the vCPUs stand still: takes what the guest has sent to the host's programs, and hands
    /// on what they take. True: that was all.
    pub fn vsock_drained(&self) -> bool {
        let Some(vsock) = &self.vsock else { return true };
        let mut mmio = vsock.device.lock().unwrap_or_else(PoisonError::into_inner);
        // Each round takes at least one of the finitely many chains. A notification, because only
        // that takes note of a backlog's end.
        while mmio.notify(0) {}
        mmio.device().buffered() == 0
    }

    /// Where something happens that may let [`VirtioDevices::vsock_drained`] go on.
    pub fn sockets(&self) -> Option<&Sockets> {
        self.vsock.as_ref().map(|vsock| &vsock.sockets)
    }

    /// The driver notified a queue.
    pub fn notify(&self, device: u16, queue: u16) {
        let Some(attached) = self.attached.get(usize::from(device)) else { return };
        let Some(event) = attached.queues.get(usize::from(queue)) else { return };
        event.clear();
        if attached.device.notify(queue.into()) {
            // Comes back to us by the event loop, behind all else that is waiting.
            event.ring();
        }
    }
}

/// Where devices are plugged in.
struct Board<'a> {
    slots: std::slice::Iter<'a, VirtioSlot>,
    vm: &'a Vm,
    mmio: &'a mut Bus,
    poll: &'a Poll,
    attached: Vec<Attached>,
}

impl Board<'_> {
    /// Plugs a device into the next slot.
    fn attach<D>(&mut self, device: D) -> Result<Arc<Mutex<Mmio<D>>>, VmmError>
    where
        D: VirtioDevice + 'static,
    {
        // `slots` counted the same devices.
        let Some(slot) = self.slots.next() else {
            let most = self.attached.len();
            return Err(VmmError::TooManyDevices { wanted: most + 1, most });
        };
        let index = self.attached.len() as u16;
        let queues = device.queue_max_sizes().len() as u16;
        let queues = (0..queues)
            .map(|queue| {
                let event = self.vm.on_write(slot.base + QUEUE_NOTIFY, queue.into())?;
                self.poll
                    .add(&event, Source::Queue { device: index, queue })
                    .map_err(VmmError::system("epoll"))?;
                Ok(event)
            })
            .collect::<Result<Vec<Notification>, VmmError>>()?;
        // `notify` of any queue hears what was written to a register.
        let bell = Box::new(queues[0].clone());
        let irq = Box::new(self.vm.irq_line(slot.gsi)?);
        let device = Arc::new(Mutex::new(Mmio::new(device, self.vm.memory().clone(), irq, bell)));
        self.mmio.insert(slot.base, slot.len, device.clone());
        self.attached.push(Attached { device: device.clone(), queues });
        Ok(device)
    }
}

/// The host's random numbers.
pub struct HostEntropy;

impl Entropy for HostEntropy {
    fn fill(&mut self, buf: &mut [u8]) -> io::Result<()> {
        let mut filled = 0;
        while filled < buf.len() {
            let flags = rustix::rand::GetRandomFlags::empty();
            match rustix::rand::getrandom(&mut buf[filled..], flags) {
                Ok(length) => filled += length,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}
