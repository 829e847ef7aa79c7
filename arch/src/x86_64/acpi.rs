//! ACPI tables (ACPI 6.5): what is in the machine that a kernel can't find by asking.
//!
//! RSDP → XSDT → FADT → DSDT, and MADT. The platform is "hardware-reduced": no SCI, no PM timer, no
//! fixed buttons, so that Linux touches neither PIC nor PIT, and there is no event to handle.

mod dsdt;
mod fadt;
mod madt;
#[cfg(test)]
mod tests;

use super::layout;
use crate::VirtioSlot;
use acpi_tables::Aml;
use acpi_tables::rsdp::Rsdp;
use acpi_tables::xsdt::XSDT;

/// Who made the tables.
const OEM: [u8; 6] = *b"BULKHD";
const OEM_TABLE: [u8; 8] = *b"BULKHEAD";
const OEM_REVISION: u32 = 1;

/// Tables start at multiples of this.
const ALIGN: u64 = 16;

/// The tables of a machine with `cpus` vCPUs and these virtio-mmio devices, and where each goes. The
/// RSDP is the first, at [`layout::ACPI`].
pub fn tables(cpus: u32, virtio: &[VirtioSlot]) -> Vec<(u64, Vec<u8>)> {
    let mut next = (layout::ACPI + Rsdp::len() as u64).next_multiple_of(ALIGN);
    let mut tables = Vec::new();
    let mut place = |table: &dyn Aml| {
        let mut bytes = Vec::new();
        table.to_aml_bytes(&mut bytes);
        let address = next;
        next = (address + bytes.len() as u64).next_multiple_of(ALIGN);
        tables.push((address, bytes));
        address
    };
    let dsdt = place(&dsdt::dsdt(virtio));
    let mut xsdt = XSDT::new(OEM, OEM_TABLE, OEM_REVISION);
    xsdt.add_entry(place(&fadt::fadt(dsdt)));
    xsdt.add_entry(place(&madt::madt(cpus)));
    let xsdt = place(&xsdt);
    let mut rsdp = Vec::new();
    Rsdp::new(OEM, xsdt).to_aml_bytes(&mut rsdp);
    tables.insert(0, (layout::ACPI, rsdp));
    tables
}
