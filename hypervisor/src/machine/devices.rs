//! The virtio devices of a machine, which it knows by number only.
//!
//! Each kind has one file below, from its configuration to its slot: it makes the model, opens the back end and says
//! what is to be waited for. To add one is to add a file, and a line where the slots are counted and where they are
//! filled.

mod block;
mod drain;
mod net;
mod rng;
mod slot;
#[cfg(test)]
mod tests;
mod vsock;

use std::io;
use std::os::fd::BorrowedFd;

use arch::VirtioSlot;
use devices::virtio::mmio::RegisterPages;

use super::opened::Opened;
use crate::bus::Bus;
use crate::config::Config;
use crate::error::VmmError;
use crate::event::{Poll, Source};
use crate::jail::filters::RollCall;
use crate::kvm::{Notification, Vm};
use crate::native::layout;
use slot::Slot;

pub use net::{InterfaceError, OpenedInterface, open as open_interface};
pub use rng::HostEntropy;

/// A device in its slot, whatever its kind.
trait Attached {
    /// What the event loop waits for on the driver's behalf: one descriptor for each queue, or none, where a thread of
    /// the device's own waits.
    fn queues(&self) -> &[Notification] {
        &[]
    }

    /// What it waits for on the host's behalf.
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// The machine is about to run: starts threads, which go on when the roll is complete.
    fn start(&mut self, _roll: &mut RollCall) -> io::Result<()> {
        Ok(())
    }

    /// The driver notified a queue: its descriptor was written to.
    fn notify(&mut self, _queue: usize) {}

    /// [`descriptor`](Attached::descriptor) is readable.
    fn ready(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Once the vCPUs stand still: takes what the guest has sent to the host, and hands on what the host takes. True:
    /// that was all. If not, it may go on after the next [`ready`](Attached::ready).
    fn drained(&mut self) -> bool {
        true
    }

    /// The length of the file that the device writes to, if it does.
    fn writes_up_to(&self) -> u64 {
        0
    }

    /// Stands still within a bounded time: no chain is used, and no interrupt sent, once this has returned.
    fn pause(&mut self);
}

/// The slots that a configuration needs: drives, vsock, entropy, network interfaces, in this order.
pub fn slots(config: &Config) -> Result<Vec<VirtioSlot>, VmmError> {
    let single = usize::from(config.vsock.is_some()) + usize::from(config.entropy);
    let wanted = config.drives.len() + single + config.network.len();
    let too_many = VmmError::TooManyDevices { wanted, most: layout::VIRTIO_SLOTS };
    (0..wanted).map(layout::virtio_slot).collect::<Option<_>>().ok_or(too_many)
}

/// Where the devices are: as many slots as registers.
#[derive(Clone, Copy)]
pub struct Places<'a> {
    pub slots: &'a [VirtioSlot],
    /// What the guest reads there.
    pub registers: &'a RegisterPages,
}

/// All virtio devices of a machine.
pub struct Devices(Vec<Box<dyn Attached>>);

impl Devices {
    /// Makes the devices that the configuration asks for, each in its slot and with its files.
    pub fn new(
        config: &Config,
        mut opened: Opened,
        places: Places<'_>,
        vm: &Vm,
        mmio: &mut Bus,
        poll: &Poll,
    ) -> Result<Devices, VmmError> {
        let mut places = places.slots.iter().zip((0..).map_while(|n| places.registers.page(n)));
        let mut slot = || {
            // `slots` counted the same devices.
            let most = layout::VIRTIO_SLOTS;
            let too_many = VmmError::TooManyDevices { wanted: most + 1, most };
            let (place, page) = places.next().ok_or(too_many)?;
            Ok::<_, VmmError>(Slot::new(vm, *place, page))
        };
        let mut attached: Vec<Box<dyn Attached>> = Vec::new();
        let listener = opened.take_listener();
        for (drive, disk) in config.drives.iter().zip(opened.disks) {
            attached.push(Box::new(block::attach(drive, disk, slot()?, mmio)?));
        }
        if let Some((config, listener)) = config.vsock.as_ref().zip(listener) {
            attached.push(Box::new(vsock::attach(config, listener, slot()?, mmio)?));
        }
        if config.entropy {
            attached.push(Box::new(rng::attach(slot()?, mmio)?));
        }
        for (interface, opened) in config.network.iter().zip(opened.interfaces) {
            attached.push(Box::new(net::attach(interface, opened, slot()?, mmio)?));
        }
        let devices = Devices(attached);
        devices.wait_for_drivers(poll).map_err(VmmError::system("epoll"))?;
        devices.wait_for_host(poll).map_err(VmmError::system("epoll"))?;
        Ok(devices)
    }

    fn wait_for_drivers(&self, poll: &Poll) -> io::Result<()> {
        for (device, attached) in (0..).zip(&self.0) {
            for (queue, notification) in (0..).zip(attached.queues()) {
                poll.add_unread(notification, Source::Queue { device, queue })?;
            }
        }
        Ok(())
    }

    /// Waits for what the host has to say to the devices.
    fn wait_for_host(&self, poll: &Poll) -> io::Result<()> {
        for (device, attached) in (0..).zip(&self.0) {
            if let Some(descriptor) = attached.descriptor() {
                poll.add(descriptor, Source::Device(device))?;
            }
        }
        Ok(())
    }

    /// Starts the threads of those that have some.
    pub fn start(&mut self, roll: &mut RollCall) -> io::Result<()> {
        self.0.iter_mut().try_for_each(|attached| attached.start(roll))
    }

    /// The length of the longest file that one of them writes to.
    pub fn longest_file(&self) -> u64 {
        self.0.iter().map(|attached| attached.writes_up_to()).max().unwrap_or(0)
    }

    /// Makes all stand still.
    pub fn pause(&mut self) {
        self.0.iter_mut().for_each(|attached| attached.pause());
    }

    /// The driver of a device notified a queue.
    pub fn notify(&mut self, device: u16, queue: u16) {
        if let Some(attached) = self.0.get_mut(usize::from(device)) {
            attached.notify(queue.into());
        }
    }

    /// A device's own descriptor is readable.
    pub fn ready(&mut self, device: u16) -> io::Result<()> {
        self.0.get_mut(usize::from(device)).map_or(Ok(()), |attached| attached.ready())
    }

    /// Once the vCPUs stand still: whether the host has all that the guest sent. If not, it goes on with each
    /// [`Devices::ready`].
    fn drained(&mut self) -> bool {
        let mut all = true;
        // Each has its turn, even if one before it is not done.
        for attached in &mut self.0 {
            all &= attached.drained();
        }
        all
    }
}
