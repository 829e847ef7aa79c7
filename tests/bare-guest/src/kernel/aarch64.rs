//! A machine with the memory map of QEMU's `virt`, described by an FDT.

pub mod cpu;
mod fdt;
mod gic;
pub mod interrupts;
pub mod paging;
pub mod power;
mod processor;
pub mod processors;
mod psci;
mod rtc;
pub mod serial;
mod start_info;
mod timer;

use super::registers::Registers;
use super::report::{Fault, Report};
use super::virtio::{self, Device};
use fdt::{Fdt, Node};

core::arch::global_asm!(include_str!("aarch64/boot.s"));

/// All checks, in the order of the report.
pub fn check_all(report: &mut Report, start_info: u64) {
    report.check("cpu", processor::check);
    let fdt = Fdt::at(start_info);
    report.check("start-info", |line| start_info::check(line, start_info, fdt));
    let Ok(fdt) = fdt else { return };
    report.check("memory", |line| start_info::check_memory(line, fdt));
    report.check("processors", |line| processors::check(line, fdt));
    // Nothing can be waited for without them.
    let interrupts =
        report.check("gic", |line| gic::check(line, fdt)) && report.check("timer", timer::check);
    if !interrupts {
        return;
    }
    report.check("serial", |line| serial::check(line, fdt));
    report.check("rtc", rtc::check);
    virtio::check_all(report, fdt.compatible("virtio,mmio").filter_map(device));
}

/// The command line, which is empty where there is none.
pub fn command_line(start_info: u64) -> &'static [u8] {
    let bootargs = |fdt: Fdt| fdt.nodes().find_map(|node| node.property("bootargs"));
    Fdt::at(start_info).ok().and_then(bootargs).unwrap_or_default()
}

/// Lets in what other processors and the serial port send.
pub fn listen(start_info: u64) -> Result<(), Fault> {
    let fdt = Fdt::at(start_info)?;
    processors::learn(fdt)?;
    gic::init(fdt);
    gic::init_processor()?;
    serial::listen(fdt);
    Ok(())
}

/// A slot whose interrupt is let in.
fn device(node: Node) -> Option<Device> {
    let interrupt = node.interrupts().next()?;
    let (address, _) = node.registers().next().filter(start_info::is_device_memory)?;
    gic::open(interrupt);
    // SAFETY: no RAM is there but device registers or nothing; a device only touches memory that a queue tells it.
    let registers = unsafe { Registers::at(address) };
    Some(Device::new(registers, interrupt.spi()?))
}
