//! The interrupt controller, and the timer that has private interrupts of it.

use super::{Machine, node, phandle};
use crate::aarch64::gic::{self, Gic};
use vm_fdt::{FdtWriter, FdtWriterResult};

/// First cell of an interrupt (bindings/interrupt-controller/arm,gic.yaml): which numbers it counts.
const SPI: u32 = 0;
const PPI: u32 = 1;
/// Third cell: how it is signalled.
const EDGE_RISING: u32 = 1;
const LEVEL_HIGH: u32 = 4;

/// The cells of a device's interrupt.
pub fn spi(gsi: u32) -> [u32; 3] {
    [SPI, gsi, EDGE_RISING]
}

/// Writes both nodes.
pub fn write(fdt: &mut FdtWriter, machine: &Machine) -> FdtWriterResult<()> {
    match machine.gic {
        Gic::V2 => gic_v2(fdt)?,
        Gic::V3 => gic_v3(fdt, machine.cpus)?,
    }
    timer(fdt, machine)
}

fn gic_v2(fdt: &mut FdtWriter) -> FdtWriterResult<()> {
    controller(fdt, |fdt| {
        fdt.property_string("compatible", "arm,cortex-a15-gic")?;
        fdt.property_array_u64("reg", &[gic::GICD, gic::GICD_LEN, gic::GICC, gic::GICC_LEN])?;
        fdt.property_u32("#address-cells", 0)
    })
}

fn gic_v3(fdt: &mut FdtWriter, cpus: u32) -> FdtWriterResult<()> {
    controller(fdt, |fdt| {
        fdt.property_string("compatible", "arm,gic-v3")?;
        let redistributors = u64::from(cpus) * gic::GICR_LEN_PER_CPU;
        fdt.property_array_u64("reg", &[gic::GICD, gic::GICD_LEN, gic::GICR, redistributors])?;
        // No translation service: no device sends messages for interrupts.
        fdt.property_u32("#address-cells", 0)
    })
}

/// What both versions have in common, and `write`'s.
fn controller(
    fdt: &mut FdtWriter,
    write: impl FnOnce(&mut FdtWriter) -> FdtWriterResult<()>,
) -> FdtWriterResult<()> {
    node(fdt, &format!("interrupt-controller@{:x}", gic::GICD), |fdt| {
        fdt.property_phandle(phandle::GIC)?;
        fdt.property_null("interrupt-controller")?;
        fdt.property_u32("#interrupt-cells", 3)?;
        write(fdt)
    })
}

fn timer(fdt: &mut FdtWriter, machine: &Machine) -> FdtWriterResult<()> {
    let flags = match machine.gic {
        // Bits 8 to 15: the vCPUs that have it.
        Gic::V2 => ((1 << machine.cpus) - 1) << 8 | LEVEL_HIGH,
        Gic::V3 => LEVEL_HIGH,
    };
    let ppis = [
        gic::TIMER_SECURE_PPI,
        gic::TIMER_PHYSICAL_PPI,
        gic::TIMER_VIRTUAL_PPI,
        gic::TIMER_HYPERVISOR_PPI,
    ];
    node(fdt, "timer", |fdt| {
        fdt.property_string("compatible", "arm,armv8-timer")?;
        let interrupts: Vec<u32> = ppis.iter().flat_map(|&ppi| [PPI, ppi, flags]).collect();
        fdt.property_array_u32("interrupts", &interrupts)?;
        // It counts on while a vCPU idles: no other timer need wake it.
        fdt.property_null("always-on")
    })
}
