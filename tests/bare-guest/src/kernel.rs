//! The kernel: entry and end, what all machines share, and one module for each machine.

#[cfg(not(target_os = "none"))]
mod builtins;
mod dma;
mod memory;
mod registers;
mod report;
mod storm;
mod task;
mod virtio;

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "x86_64")]
mod x86_64;

use core::panic::PanicInfo;

#[cfg(target_arch = "aarch64")]
use aarch64 as machine;
#[cfg(target_arch = "x86_64")]
use x86_64 as machine;

use report::{Line, put, send_line};
use task::Task;

/// How many seconds are waited for a device or a processor: on a loaded host a thread may wait for long until it may run. On
/// x86_64 the timer has room for 68.
const PATIENCE: u32 = 20;

/// Where boot.s arrives.
#[unsafe(export_name = "kernel_main")]
extern "C" fn kernel_main(start_info: u64) -> ! {
    machine::serial::init();
    Task::chosen_by(machine::command_line(start_info)).run(start_info)
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let mut line = Line::new();
    put!(line, "FAIL {info}");
    send_line(&[line.as_bytes()]);
    machine::power::off()
}
