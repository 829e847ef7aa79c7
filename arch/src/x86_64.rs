//! The x86_64 machine: a PC reduced to what a Linux guest needs to boot fast.
//!
//! RAM, a local APIC for each vCPU, one IOAPIC, a serial port, a CMOS clock, a keyboard controller
//! that can only reset, three ACPI power registers and a row of virtio-mmio slots. No PCI, no PIC,
//! no PIT, no firmware: the VMM puts the vCPU where the firmware would have left it.

pub mod acpi;
pub mod cpuid;
pub mod gdt;
pub mod lapic;
pub mod layout;
pub mod msrs;
pub mod page_tables;
pub mod regs;
pub mod reset_vector;
