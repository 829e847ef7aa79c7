//! Not a kernel but the smallest first program of a Linux guest: prints one line, then waits for ever.
//!
//! It is the yardstick for the time from the start of a VMM to a Linux guest's init.
#![cfg_attr(target_os = "none", no_std, no_main)]

// System call numbers of x86_64 (arch/x86/entry/syscalls/syscall_64.tbl): write 1, pause 34.
#[cfg(target_os = "none")]
core::arch::global_asm!(
    ".globl _start",
    "_start:",
    "    mov eax, 1",
    "    mov edi, 1",
    "    lea rsi, [rip + 2f]",
    "    mov edx, 6",
    "    syscall",
    "1:  mov eax, 34",
    "    syscall",
    "    jmp 1b",
    "2:  .ascii \"hello\\n\"",
);

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
        "a guest's init: cargo build --release -p bulkhead-bare-guest --target x86_64-unknown-none"
    );
    std::process::exit(2);
}
