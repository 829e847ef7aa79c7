//! The socket device, whose other side is the host's Unix sockets.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixListener;

use devices::Device;
use devices::virtio::VirtioDevice;
use devices::virtio::vsock::Vsock;

use super::Attached;
use super::slot::{Plugged, Slot};
use crate::bus::Bus;
use crate::config;
use crate::error::VmmError;
use crate::kvm::Notification;
use crate::vsock::{Sockets, UnixBackend};

/// Makes the device, which the host's programs find at `listener`.
pub fn attach(
    config: &config::Vsock,
    listener: UnixListener,
    slot: Slot<'_>,
    bus: &mut Bus,
) -> Result<AttachedVsock, VmmError> {
    // Only a path that ends with `..` has no name, and no socket has that path.
    let name = config.uds_path.file_name().unwrap_or_default();
    let (sockets, backend) = Sockets::new(listener, name).map_err(VmmError::system("epoll"))?;
    let vsock = Vsock::new(config.guest_cid.into(), backend);
    let lines = slot.lines(vsock.queue_max_sizes().len())?;
    Ok(AttachedVsock { sockets, device: slot.plug(vsock, lines, bus) })
}

/// The device in its slot, and its sockets.
pub struct AttachedVsock {
    pub(super) sockets: Sockets,
    pub(super) device: Plugged<Vsock<UnixBackend>>,
}

impl Attached for AttachedVsock {
    fn queues(&self) -> &[Notification] {
        self.device.queues()
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.sockets.as_fd())
    }

    fn notify(&mut self, queue: usize) {
        self.device.notify(queue);
    }

    fn ready(&mut self) -> io::Result<()> {
        self.sockets.handle_events(&mut self.device.lock())?;
        self.device.call_for_backlog();
        Ok(())
    }

    fn drained(&mut self) -> bool {
        let mut mmio = self.device.lock();
        // Each round takes at least one of the finitely many chains. A notification, because only
        // that takes note of a backlog's end.
        while mmio.notify(0) {}
        mmio.device().buffered() == 0
    }

    fn pause(&mut self) {
        self.device.lock().pause();
    }
}
