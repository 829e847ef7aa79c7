//! The multiple APIC description table (ACPI 6.5 §5.2.12): the vCPUs and the IOAPIC.
//!
//! No interrupt source override: interrupts 0 to 15 are inputs 0 to 15 of the IOAPIC, edge-triggered
//! and active high, which is what a kernel takes for granted. No PCAT_COMPAT flag: no PIC to mask.

use super::super::layout;
use acpi_tables::madt::{
    EnabledStatus, IoApic, LocalInterruptController, MADT, ProcessorLocalApic,
};

const IOAPIC_ID: u8 = 0;
const FIRST_GSI: u32 = 0;

/// The table. A vCPU's APIC ID is its number.
pub fn madt(cpus: u32) -> MADT {
    let lapic = LocalInterruptController::Address(layout::LAPIC as u32);
    let mut madt = MADT::new(super::OEM, super::OEM_TABLE, super::OEM_REVISION, lapic);
    madt.add_structure(IoApic::new(IOAPIC_ID, layout::IOAPIC as u32, FIRST_GSI));
    for cpu in 0..cpus.min(layout::MAX_CPUS) as u8 {
        madt.add_structure(ProcessorLocalApic::new(cpu, cpu, EnabledStatus::Enabled));
    }
    madt
}
