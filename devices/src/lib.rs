//! Device models as state machines: no threads, no KVM, no event loop.
//!
//! A model holds the registers that a guest sees and a back end behind a trait. Time, randomness, files, sockets
//! and interrupts come in from outside, so a property test drives the very model that a virtual machine uses.
//! Whatever the guest writes is hostile: it is copied once, checked, and can cause neither a panic, an endless
//! loop, an unbounded allocation, nor a log line per event.
//!
//! | module | what it models |
//! |---|---|
//! | [`fixed`] | the fixed devices: a PC's serial port, clock, keyboard controller and ACPI power registers; an Arm machine's UART and clock |
//! | [`virtio`] | the virtqueue, the memory-mapped transport, and the devices behind it |
//! | [`egress`] | the filter between a network device and its back end |
//! | [`limits`] | what one guest may cost the host |

pub mod egress;
pub mod fixed;
pub mod limits;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod virtio;

mod device;

pub use device::{Bell, Device, Interrupt, Outcome, Registers, RestoreError};

/// The guest's physical memory, mapped into this process. Dirty pages are tracked by KVM, not here.
pub type GuestMemory = vm_memory::GuestMemoryMmap<()>;
