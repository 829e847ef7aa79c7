//! What only the aarch64 machine has. `x86_64` has the same names for what only the other has.

mod boot;
mod caches;
mod gic;
mod place;
mod platform;
pub mod probe;
mod registers;
mod vcpu;
mod vm;

use std::ops::Range;

use crate::memory::LARGE_PAGE;

pub use arch::aarch64::gic::Gic as InterruptController;
pub use arch::aarch64::layout;
pub use arch::aarch64::regs::CpuStart;

pub use boot::{
    Initrd, InitrdError, Kernel, KernelError, parse_kernel, place_initrd, start, tables,
};
pub use place::place;
pub use platform::{CLOCK_GSI, Clock, Fixed, UART_GSI, Uart, plug};
pub use vm::{create, processors};

/// Whether a kernel writes to most of its pages as it starts: some hundred places
/// are made what the processor at hand needs.
pub const KERNEL_REWRITES_ITSELF: bool = false;

/// Whether a guest reads its devices' registers as memory that this process writes to: it takes them for a device's memory, and
/// goes past the caches in which what was written may be (Arm DDI 0487 §B2.8, mismatched attributes).
pub const SHOWS_REGISTERS: bool = false;

/// What lies under a kernel, bytes from the start of RAM: the device tree, and nothing else.
pub const BARELY_USED: Range<u64> = 0..LARGE_PAGE as u64;

/// What to do where there is no `/dev/kvm`.
pub const NO_KVM: &str = "the host's kernel must have KVM and have started at EL2 \
     (`dmesg | grep EL2`): on bare metal, or with nested virtualization in the outer hypervisor";
