//! A PC without the parts that nobody needs.

mod acpi;
pub mod cpu;
pub mod interrupts;
pub mod paging;
pub mod power;
mod processor;
pub mod processors;
mod rtc;
pub mod serial;
mod start_info;

use super::registers::Registers;
use super::report::{Fault, Report};
use super::virtio::{self, Device};
pub use start_info::command_line;

core::arch::global_asm!(include_str!("x86_64/boot.s"), options(att_syntax));

/// Where the machine has its virtio-mmio devices, a page each.
const FIRST_SLOT: u64 = 0xc000_0000;
const SLOT_LEN: u64 = 0x1000;
const SLOTS: u64 = 16;
/// IOAPIC pin of the first slot; the others' follow it, but for the clock's.
const FIRST_PIN: usize = 5;
const CLOCK_PIN: usize = 8;

/// All checks, in the order of the report.
pub fn check_all(report: &mut Report, start_info: u64) {
    interrupts::init();
    report.check("cpu", processor::check);
    report.check("start-info", |line| start_info::check(line, start_info));
    report.check("memory", |line| start_info::check_memory(line, start_info));
    report.check("acpi", |line| acpi::check(line, start_info::rsdp(start_info)));
    report.check("timer", interrupts::check_timer);
    report.check("serial", serial::check);
    report.check("rtc", rtc::check);
    virtio::check_all(report, (0..SLOTS).map(device));
}

/// Lets in what other processors and the serial port send.
pub fn listen(_start_info: u64) -> Result<(), Fault> {
    interrupts::init();
    serial::listen();
    Ok(())
}

fn device(slot: u64) -> Device {
    let pin = FIRST_PIN + slot as usize;
    let pin = if pin < CLOCK_PIN { pin } else { pin + 1 };
    // SAFETY: the slots hold devices or nothing, which reads as ones; a device only touches memory that a queue tells it.
    Device::new(unsafe { Registers::at(FIRST_SLOT + slot * SLOT_LEN) }, pin)
}
