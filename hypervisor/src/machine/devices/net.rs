//! A network interface, from the configuration to what its frames go through.
//!
//! | module | concept |
//! |---|---|
//! | `open` | a name, a descriptor or a path, and what it stands for |
//! | `tap` | an interface of the host's kernel |
//! | `stream` | a program at the other side of a socket |
//! | `loopback` | packets that no wire has |
//! | `host` | either of them, in an epoll set |

mod host;
mod loopback;
mod open;
mod stream;
mod tap;
#[cfg(test)]
mod tests;

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use devices::Device;
use devices::virtio::VirtioDevice;
use devices::virtio::net::{Net, TX};

use super::Attached;
use super::slot::{Plugged, Slot};
use crate::bus::Bus;
use crate::config::Interface;
use crate::error::VmmError;
use crate::kvm::Notification;
pub use host::End;
use host::{Events, HostBackend};
pub use open::{InterfaceError, open};

/// Makes the device of an interface, with what was opened for it.
pub fn attach(
    interface: &Interface,
    end: End,
    slot: Slot<'_>,
    bus: &mut Bus,
) -> Result<AttachedNet, VmmError> {
    let (backend, events) = HostBackend::new(end).map_err(VmmError::system("epoll"))?;
    let net = Net::new(&interface.link, backend);
    let lines = slot.lines(net.queue_max_sizes().len())?;
    Ok(AttachedNet::new(&interface.id, events, slot.plug(net, lines, bus)))
}

/// The device in its slot, and what it waits for.
pub struct AttachedNet {
    id: String,
    events: Events,
    device: Plugged<Net<HostBackend>>,
    link_up: bool,
}

impl AttachedNet {
    fn new(id: &str, events: Events, device: Plugged<Net<HostBackend>>) -> Self {
        Self { id: id.to_owned(), events, device, link_up: true }
    }

    /// Says so once when the link went down: it does not come back.
    fn look_at_link(&mut self) {
        if self.link_up && !self.device.lock().device().is_link_up() {
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
        self.look_at_link();
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
        self.look_at_link();
        Ok(())
    }

    /// What does not go at once is lost, as on any network.
    fn drained(&mut self) -> bool {
        // Each round takes at least one of the finitely many chains.
        while self.device.lock().notify(TX) {}
        true
    }

    fn pause(&mut self) {
        self.device.lock().pause();
    }
}
