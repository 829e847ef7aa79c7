//! The aarch64 machine: QEMU's `virt` board reduced to what a Linux guest needs to boot fast.
//!
//! RAM, a GIC, the architecture's timer, a PL011 serial port, a PL031 clock and a row of
//! virtio-mmio slots. No PCI, no firmware: the VMM puts the vCPU where a boot loader would have
//! left it, and PSCI, which KVM answers, powers off and resets.

pub mod fdt;
pub mod gic;
pub mod ipa;
pub mod layout;
pub mod regs;
