//! What only the x86_64 machine has. `aarch64` has the same names for what only the other has.

mod boot;
mod place;
mod platform;
pub mod probe;
mod vcpu;
mod vm;

use std::ops::Range;

use crate::memory::LARGE_PAGE;

pub use arch::x86_64::layout;
pub use arch::x86_64::regs::CpuStart;

pub use boot::{
    Initrd, InitrdError, Kernel, KernelError, parse_kernel, place_initrd, start, tables,
};
pub use place::place;
pub use platform::{CLOCK_GSI, Clock, Fixed, UART_GSI, Uart, plug};
pub use vm::{InterruptController, create, processors};

/// Whether a kernel writes to most of its pages as it starts: every return and every
/// indirect call of its text becomes what the processor at hand needs against Spectre and its kin.
pub const KERNEL_REWRITES_ITSELF: bool = true;

/// Whether a guest reads its devices' registers as memory that this process writes to. Whatever kind of memory the guest takes
/// them for: the processor keeps all views of a page alike.
pub const SHOWS_REGISTERS: bool = true;

/// Of what lies under a kernel, Linux uses the first large page and then next to nothing up to 8 MiB: bytes from the start of
/// RAM. From there on it uses all.
pub const BARELY_USED: Range<u64> = LARGE_PAGE as u64..8 << 20;

/// What to do where there is no `/dev/kvm`.
pub const NO_KVM: &str = "switch on VT-x or AMD-V (SVM) in the firmware, or nested virtualization \
     in the outer hypervisor, then `modprobe kvm_intel` or `modprobe kvm_amd`";
