//! The smallest guest: one page of code that prints a line on the serial port and switches the machine off.
//!
//! It is the yardstick for the time from the start of a VMM to the first output of its guest.
#![cfg_attr(freestanding, no_std, no_main)]

#[cfg(all(freestanding, target_arch = "aarch64"))]
core::arch::global_asm!(include_str!("aarch64.s"));
#[cfg(all(freestanding, target_arch = "x86_64"))]
core::arch::global_asm!(include_str!("x86_64.s"));

#[cfg(freestanding)]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}

#[cfg(not(freestanding))]
fn main() {
    eprintln!("a kernel: the package's README says how to build it");
    std::process::exit(2);
}
