//! The differentiated system description table (ACPI 6.5 §5.2.11.1): devices that only a name and a
//! list of resources tell a kernel about, in ACPI's machine language AML.
//!
//! As few as possible: each costs the guest time at boot. There is no PCI root, no keyboard
//! controller (Linux resets by the FADT's register) and no processor object (the MADT is enough).

use super::super::layout;
use crate::VirtioSlot;
use acpi_tables::aml::{
    Device, EISAName, IO, Interrupt, Memory32Fixed, Name, Package, Path, ResourceTemplate, Scope,
};
use acpi_tables::sdt::Sdt;
use acpi_tables::{Aml, AmlSink};

/// Since revision 2 integers have 64 bits.
const REVISION: u8 = 2;
/// Length of a table's header (ACPI 6.5 §5.2.6).
const HEADER_LEN: u32 = 36;

/// The table, with these virtio-mmio devices.
pub fn dsdt(virtio: &[VirtioSlot]) -> Sdt {
    let mut dsdt =
        Sdt::new(*b"DSDT", HEADER_LEN, REVISION, super::OEM, super::OEM_TABLE, super::OEM_REVISION);
    let mut aml = Vec::new();
    soft_off(&mut aml);
    let com1 = serial();
    let rtc = clock();
    let virtio: Vec<Vec<u8>> =
        virtio.iter().enumerate().map(|(n, slot)| virtio_mmio(n, slot)).collect();
    let devices: Vec<Raw> = [&com1, &rtc].into_iter().chain(&virtio).map(|aml| Raw(aml)).collect();
    Scope::new(Path::new("_SB_"), devices.iter().map(|device| device as &dyn Aml).collect())
        .to_aml_bytes(&mut aml);
    dsdt.append_slice(&aml);
    dsdt
}

/// AML that is made already.
struct Raw<'a>(&'a [u8]);

impl Aml for Raw<'_> {
    fn to_aml_bytes(&self, sink: &mut dyn AmlSink) {
        sink.vec(self.0);
    }
}

/// `\_S5_`: the sleep type to write to the sleep control register to power off (ACPI 6.5 §7.4.2).
fn soft_off(aml: &mut Vec<u8>) {
    let zero = 0u8;
    let package = Package::new(vec![&layout::ACPI_S5_TYPE, &zero, &zero, &zero]);
    Name::new(Path::new("_S5_"), &package).to_aml_bytes(aml);
}

/// COM1: a 16550A-compatible serial port.
fn serial() -> Vec<u8> {
    device(
        "COM1",
        &EISAName::new("PNP0501"),
        0,
        &[&ports(layout::COM1, layout::COM1_LEN), &interrupt(layout::COM1_GSI)],
    )
}

/// The CMOS clock.
fn clock() -> Vec<u8> {
    device(
        "RTC_",
        &EISAName::new("PNP0B00"),
        0,
        &[&ports(layout::RTC, layout::RTC_LEN), &interrupt(layout::RTC_GSI)],
    )
}

/// A virtio device behind registers in memory; `LNRO0005` is the name that Linux knows it by.
fn virtio_mmio(n: usize, slot: &VirtioSlot) -> Vec<u8> {
    device(
        &format!("V{n:03X}"),
        &"LNRO0005",
        n as u32,
        &[&Memory32Fixed::new(true, slot.base as u32, slot.len as u32), &interrupt(slot.gsi)],
    )
}

fn device(name: &str, hardware_id: &dyn Aml, unique_id: u32, resources: &[&dyn Aml]) -> Vec<u8> {
    let mut aml = Vec::new();
    Device::new(
        Path::new(name),
        vec![
            &Name::new(Path::new("_HID"), hardware_id),
            &Name::new(Path::new("_UID"), &unique_id),
            &Name::new(Path::new("_CRS"), &ResourceTemplate::new(resources.to_vec())),
        ],
    )
    .to_aml_bytes(&mut aml);
    aml
}

fn ports(first: u16, len: u16) -> IO {
    IO::new(first, first, 1, len as u8)
}

/// An interrupt that the device is the only one to raise: edge-triggered, active high.
fn interrupt(gsi: u32) -> Interrupt {
    let (consumer, edge, active_low, shared) = (true, true, false, false);
    Interrupt::new(consumer, edge, active_low, shared, gsi)
}
