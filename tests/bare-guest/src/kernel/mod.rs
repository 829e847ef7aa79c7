//! The kernel: entry, the list of checks, and the end.

mod acpi;
mod cpu;
mod dma;
mod interrupts;
mod physical;
mod power;
mod processor;
mod report;
mod rtc;
mod serial;
mod start_info;
mod virtio;

use core::panic::PanicInfo;

use report::{Line, Report, put, say};

core::arch::global_asm!(include_str!("boot.s"), options(att_syntax));

/// Where boot.s arrives.
#[unsafe(export_name = "kernel_main")]
extern "C" fn kernel_main(start_info: u64) -> ! {
    serial::init();
    interrupts::init();
    let mut report = Report::default();
    report.check("cpu", processor::check);
    report.check("start-info", |line| start_info::check(line, start_info));
    report.check("memory", |line| start_info::check_memory(line, start_info));
    report.check("acpi", |line| acpi::check(line, start_info::rsdp(start_info)));
    report.check("timer", interrupts::check_timer);
    report.check("serial", serial::check);
    report.check("rtc", rtc::check);
    virtio::check_all(&mut report);
    report.end();
    power::off()
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let mut line = Line::new();
    put!(line, "FAIL {info}");
    say(&[line.as_bytes()]);
    power::off()
}
