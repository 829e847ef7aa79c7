//! Devices behind registers in memory.

use super::{Machine, compatible, interrupts, node, phandle};
use crate::VirtioSlot;
use crate::aarch64::layout;
use vm_fdt::{FdtWriter, FdtWriterResult};

/// Hertz. Nothing runs at it, but a driver divides it by the baud rate that it is asked for.
const CLOCK: u32 = 24_000_000;

/// The serial port's node, below the root.
pub fn serial_name() -> String {
    format!("serial@{:x}", layout::PL011)
}

/// Writes the nodes.
pub fn write(fdt: &mut FdtWriter, machine: &Machine) -> FdtWriterResult<()> {
    clock(fdt)?;
    serial(fdt)?;
    rtc(fdt)?;
    machine.virtio.iter().try_for_each(|slot| virtio_mmio(fdt, slot))
}

/// The peripheral bus's clock.
fn clock(fdt: &mut FdtWriter) -> FdtWriterResult<()> {
    node(fdt, "apb-pclk", |fdt| {
        fdt.property_phandle(phandle::CLOCK)?;
        fdt.property_string("compatible", "fixed-clock")?;
        fdt.property_u32("#clock-cells", 0)?;
        fdt.property_u32("clock-frequency", CLOCK)?;
        fdt.property_string("clock-output-names", "clk24mhz")
    })
}

fn serial(fdt: &mut FdtWriter) -> FdtWriterResult<()> {
    node(fdt, &serial_name(), |fdt| {
        compatible(fdt, &["arm,pl011", "arm,primecell"])?;
        registers(fdt, layout::PL011, layout::PL011_LEN, layout::PL011_GSI)?;
        fdt.property_array_u32("clocks", &[phandle::CLOCK, phandle::CLOCK])?;
        fdt.property_string_list("clock-names", vec!["uartclk".into(), "apb_pclk".into()])
    })
}

fn rtc(fdt: &mut FdtWriter) -> FdtWriterResult<()> {
    node(fdt, &format!("rtc@{:x}", layout::PL031), |fdt| {
        compatible(fdt, &["arm,pl031", "arm,primecell"])?;
        registers(fdt, layout::PL031, layout::PL031_LEN, layout::PL031_GSI)?;
        fdt.property_u32("clocks", phandle::CLOCK)?;
        fdt.property_string("clock-names", "apb_pclk")
    })
}

fn virtio_mmio(fdt: &mut FdtWriter, slot: &VirtioSlot) -> FdtWriterResult<()> {
    node(fdt, &format!("virtio@{:x}", slot.base), |fdt| {
        fdt.property_string("compatible", "virtio,mmio")?;
        registers(fdt, slot.base, slot.len, slot.gsi)?;
        fdt.property_null("dma-coherent")
    })
}

fn registers(fdt: &mut FdtWriter, base: u64, len: u64, gsi: u32) -> FdtWriterResult<()> {
    fdt.property_array_u64("reg", &[base, len])?;
    fdt.property_array_u32("interrupts", &interrupts::spi(gsi))
}
