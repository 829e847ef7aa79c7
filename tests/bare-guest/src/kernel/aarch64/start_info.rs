//! What the VMM tells the guest: an FDT.

use super::fdt::{Fdt, Node};
use super::paging::RAM_START;
use super::{gic, rtc, serial, timer};
use crate::kernel::memory::MemoryMap;
use crate::kernel::report::{Fault, Line, put};

/// Devices whose addresses and SPI are agreed.
const AGREED: [(&str, &[u64], Option<usize>); 4] = [
    (gic::V3, &[gic::DISTRIBUTOR_ADDRESS, gic::REDISTRIBUTORS_ADDRESS], None),
    (gic::V2, &[gic::DISTRIBUTOR_ADDRESS, gic::CPU_INTERFACE_ADDRESS], None),
    (serial::PL011, &[serial::ADDRESS], Some(serial::SPI)),
    (rtc::PL031, &[rtc::ADDRESS], Some(rtc::SPI)),
];

/// It is sound, the command line ends, and what the machine has is where it is agreed to be.
pub fn check(line: &mut Line, address: u64, fdt: Result<Fdt, Fault>) -> Result<(), Fault> {
    put!(line, "at {address:#x}");
    let fdt = fdt?;
    put!(line, ", {} bytes, {} nodes", fdt.len, fdt.nodes().count());
    let root = fdt.nodes().next().ok_or("no root")?;
    if [root.number("#address-cells"), root.number("#size-cells")] != [Some(2), Some(2)] {
        return Err("addresses and sizes are not two words each");
    }
    if let Some(command_line) = fdt.nodes().find_map(|node| node.property("bootargs")) {
        let len = command_line.iter().position(|byte| *byte == 0);
        let len = len.ok_or("the command line does not end")?;
        put!(line, ", command line of {len} bytes");
    }
    if !fdt.compatible("arm,psci-0.2").any(|node| node.has_string("method", "hvc")) {
        return Err("there is no PSCI 0.2 by HVC");
    }
    for (driver, addresses, spi) in AGREED {
        fdt.compatible(driver).try_for_each(|node| {
            let starts = node.registers().map(|(start, _)| start).take(addresses.len());
            let right = starts.eq(addresses.iter().copied())
                && spi.is_none_or(|_| node.interrupts().next().is_some_and(|i| i.spi() == spi));
            if right { Ok(()) } else { Err("a device is not at its address or SPI") }
        })?;
    }
    let timer = fdt.compatible("arm,armv8-timer").next().ok_or("there is no timer")?;
    // Secure and non-secure physical, then virtual.
    if timer.interrupts().nth(2).and_then(|interrupt| interrupt.ppi()) != Some(timer::PPI) {
        return Err("the virtual timer's interrupt is not PPI 11");
    }
    fdt.compatible("virtio,mmio").try_for_each(check_slot)
}

fn check_slot(node: Node) -> Result<(), Fault> {
    let edge = node.interrupts().next().filter(|interrupt| interrupt.is_edge());
    let registers = node.registers().next().filter(is_device_memory);
    if edge.and_then(|interrupt| interrupt.spi()).is_some() && registers.is_some() {
        Ok(())
    } else {
        Err("a virtio-mmio device without registers below RAM, or without an edge-triggered SPI")
    }
}

/// Whether a range of registers is below RAM.
pub fn is_device_memory((start, len): &(u64, u64)) -> bool {
    start.checked_add(*len).is_some_and(|end| end <= RAM_START)
}

/// RAM starts where it is agreed to, this program is in it, and each range is there up to its last word.
pub fn check_memory(line: &mut Line, fdt: Fdt) -> Result<(), Fault> {
    let mut memory = MemoryMap::default();
    let nodes = fdt.nodes().filter(|node| node.has_string("device_type", "memory"));
    let mut ranges = nodes.flat_map(|node| node.registers()).peekable();
    if ranges.peek().is_none_or(|(start, _)| *start != RAM_START) {
        return Err("RAM does not start at 1 GiB");
    }
    ranges.try_for_each(|(start, size)| memory.ram(start, size, line))?;
    memory.end(line)
}
