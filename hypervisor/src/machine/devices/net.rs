//! A network interface, from the configuration to what its frames go through.
//!
//! | module | concept |
//! |---|---|
//! | `open` | a name, a descriptor or a path, and what it stands for |
//! | `gather` | a system call over guest memory |
//! | `tap` | an interface of the host's kernel |
//! | `stream` | a program at the other side of a socket |
//! | `loopback` | packets that no wire has |
//! | `host` | either of them, in an epoll set |
//! | `alarm` | a time, in that set |
//! | `report` | what it tells of itself |

mod alarm;
mod gather;
mod host;
mod loopback;
mod open;
mod report;
mod stream;
mod tap;
#[cfg(test)]
mod tests;

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use devices::Device;
use devices::egress::Filter;
use devices::virtio::VirtioDevice;
use devices::virtio::net::{Filtered, Net, TX};

use super::Attached;
use super::slot::{Plugged, Slot};
use crate::bus::Bus;
use crate::config::Interface;
use crate::error::VmmError;
use crate::kvm::Notification;
use host::{Events, HostBackend};
pub use open::{InterfaceError, OpenedInterface, open};
use report::Teller;

/// Makes the device of an interface, with what was opened for it.
pub fn attach(
    interface: &Interface,
    opened: OpenedInterface,
    slot: Slot<'_>,
    bus: &mut Bus,
) -> Result<AttachedNet, VmmError> {
    let (backend, events) = HostBackend::new(opened.end).map_err(VmmError::system("epoll"))?;
    let teller = opened.report.map(|file| Teller::new(file, events.report_alarm()?));
    let teller = teller.transpose().map_err(VmmError::system("the report of an interface"))?;
    let filter = interface.egress.clone().map(Filter::new).transpose()?;
    let net = Net::new(&interface.link, Filtered::new(backend, filter));
    let lines = slot.lines(net.queue_max_sizes().len())?;
    Ok(AttachedNet::new(&interface.id, events, teller, slot.plug(net, lines, bus)))
}

/// The device in its slot, and what it waits for.
pub struct AttachedNet {
    id: String,
    events: Events,
    teller: Option<Teller>,
    device: Plugged<Net<Filtered<HostBackend>>>,
    link_up: bool,
}

impl AttachedNet {
    fn new(
        id: &str,
        events: Events,
        teller: Option<Teller>,
        device: Plugged<Net<Filtered<HostBackend>>>,
    ) -> Self {
        Self { id: id.to_owned(), events, teller, device, link_up: true }
    }

    /// After each turn: tells what is new. That the link went down, once: it does not come back.
    fn tell(&mut self) {
        let mmio = self.device.lock();
        if let Some(teller) = &mut self.teller {
            teller.tell(mmio.device());
        }
        if self.link_up && !mmio.device().is_link_up() {
            self.link_up = false;
            log::warn!(
                "network interface {:?}: nobody is at its other end any more, the link is down",
                self.id
            );
        }
    }
}

impl Attached for AttachedNet {
    fn queues(&self) -> &[Notification] {
        self.device.queues()
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.events.as_fd())
    }

    fn notify(&mut self, queue: usize) {
        self.device.notify(queue);
        self.tell();
    }

    fn ready(&mut self) -> io::Result<()> {
        let mut mmio = self.device.lock();
        // A system call for each packet that comes, otherwise.
        if !mmio.device().is_receiving() && self.events.hung_up()? {
            mmio.device_mut().hung_up();
        }
        mmio.with_device(|net, queues, mem| net.work(queues, mem));
        drop(mmio);
        self.device.call_for_backlog();
        self.tell();
        Ok(())
    }

    /// What does not go at once is lost, as on any network.
    fn drained(&mut self) -> bool {
        // Each round takes at least one of the finitely many chains.
        while self.device.lock().notify(TX) {}
        true
    }

    fn pause(&mut self) {
        let mut mmio = self.device.lock();
        mmio.pause();
        if let Some(teller) = &mut self.teller {
            teller.tell_now(mmio.device());
        }
    }
}
