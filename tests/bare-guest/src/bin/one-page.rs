//! The smallest guest: one page of code that prints a line on COM1 and switches the machine off.
//!
//! It is the yardstick for the time from the start of a VMM to the first output of its guest. It runs in the mode in which
//! it is entered, 32-bit by PVH or 64-bit by the ELF entry: every instruction in it has the same encoding and meaning in both. It
//! tries all ways to switch off: ACPI sleep control (bulkhead-vmm), keyboard controller reset (Firecracker), triple fault.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
core::arch::global_asm!(include_str!("one-page.s"));

#[cfg(target_os = "none")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}

#[cfg(not(target_os = "none"))]
fn main() {
    eprintln!(
        "a kernel: cargo build --release -p bulkhead-bare-guest --target x86_64-unknown-none"
    );
    std::process::exit(2);
}
