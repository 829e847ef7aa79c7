//! The entropy device, which draws on the host's random numbers.

use std::io;

use devices::Device;
use devices::virtio::VirtioDevice;
use devices::virtio::rng::{Entropy, Rng};

use super::Attached;
use super::slot::{Plugged, Slot};
use crate::bus::Bus;
use crate::error::VmmError;
use crate::kvm::Notification;

/// Makes the entropy device.
pub fn attach(slot: Slot<'_>, bus: &mut Bus) -> Result<AttachedRng, VmmError> {
    let rng = Rng::new(Box::new(HostEntropy));
    let lines = slot.lines(rng.queue_max_sizes().len())?;
    Ok(AttachedRng(slot.plug(rng, lines, bus)))
}

/// The entropy device in its slot.
pub struct AttachedRng(Plugged<Rng>);

impl Attached for AttachedRng {
    fn queues(&self) -> &[Notification] {
        self.0.queues()
    }

    fn notify(&mut self, queue: usize) {
        self.0.notify(queue);
    }

    fn pause(&mut self) {
        self.0.lock().pause();
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
