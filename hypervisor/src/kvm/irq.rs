//! Interrupts into the guest and notifications out of it, as event descriptors that the kernel
//! handles without a vCPU coming back to us.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::Arc;

use devices::{Bell, Interrupt};
use kvm_ioctls::IoEventAddress;
use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};

use super::{KvmError, Vm};

/// An edge-triggered line to the interrupt controller (an irqfd).
pub struct IrqLine(EventFd);

impl Interrupt for IrqLine {
    fn raise(&self) {
        // The only way to fail is a counter at its limit, and then the line is raised already.
        let _ = self.0.write(1);
    }
}

/// Is written to when the guest writes a register (an ioeventfd). Clones are the same one.
#[derive(Clone)]
pub struct Notification(Arc<EventFd>);

impl Notification {
    /// One that no guest reaches.
    #[cfg(test)]
    pub fn unconnected() -> Notification {
        Notification(Arc::new(EventFd::new(EFD_NONBLOCK).unwrap()))
    }

    /// For a thread of its own: from now on [`wait`](Notification::wait) waits.
    pub fn make_blocking(&self) -> io::Result<()> {
        Ok(rustix::io::ioctl_fionbio(self, false)?)
    }

    /// Waits until it is readable, and makes it unreadable.
    pub fn wait(&self) {
        while self.0.read().is_err_and(|error| error.kind() == io::ErrorKind::Interrupted) {}
    }
}

/// As if the guest had written once more.
impl Bell for Notification {
    fn ring(&self) {
        // The only way to fail is a counter at its limit, which 2⁶⁴ notifications reach.
        let _ = self.0.write(1);
    }
}

impl AsFd for Notification {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the descriptor stays open as long as `self` is borrowed.
        unsafe { BorrowedFd::borrow_raw(self.0.as_raw_fd()) }
    }
}

impl Vm {
    /// A line to interrupt input `gsi`.
    pub fn irq_line(&self, gsi: u32) -> Result<IrqLine, KvmError> {
        let event = EventFd::new(EFD_NONBLOCK).map_err(KvmError::call("eventfd"))?;
        self.fd.register_irqfd(&event, gsi).map_err(KvmError::call("KVM_IRQFD"))?;
        Ok(IrqLine(event))
    }

    /// A notification of the guest's writing the 32-bit `value` at `address`; the vCPU runs on.
    pub fn on_write(&self, address: u64, value: u32) -> Result<Notification, KvmError> {
        let event = EventFd::new(EFD_NONBLOCK).map_err(KvmError::call("eventfd"))?;
        self.fd
            .register_ioevent(&event, &IoEventAddress::Mmio(address), value)
            .map_err(KvmError::call("KVM_IOEVENTFD"))?;
        Ok(Notification(Arc::new(event)))
    }
}
