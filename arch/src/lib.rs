//! The two machines as data: memory maps, page tables, register values, CPUID, ACPI tables, device
//! tree.
//!
//! Nothing here opens a file or talks to KVM. Every function takes numbers and gives numbers or
//! bytes, so that the tables of each machine are tested wherever the tests run, whatever the
//! architecture of the host.

pub mod aarch64;
pub mod x86_64;

/// Most bytes of a kernel's command line, the NUL at its end included: Linux's `COMMAND_LINE_SIZE` on
/// both architectures (include/uapi/asm/setup.h), past which it would cut the line off in silence.
pub const CMDLINE_MAX: usize = 2048;

/// One virtio-mmio device in the address space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VirtioSlot {
    /// Guest physical address of its registers.
    pub base: u64,
    /// Size of its registers.
    pub len: u64,
    /// Its interrupt: edge-triggered, active high.
    pub gsi: u32,
}
