//! Not a kernel but the smallest first program of a Linux guest: prints one line, then waits for ever.
//!
//! It is the yardstick for the time from the start of a VMM to a Linux guest's init.
#![cfg_attr(freestanding, no_std, no_main)]

// System calls (arch/x86/entry/syscalls/syscall_64.tbl): write 1, pause 34.
#[cfg(all(freestanding, target_arch = "x86_64"))]
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

// System calls (include/uapi/asm-generic/unistd.h): write 64, ppoll 73, here of nothing and for ever.
#[cfg(all(freestanding, target_arch = "aarch64"))]
core::arch::global_asm!(
    ".globl _start",
    "_start:",
    "    mov x8, #64",
    "    mov x0, #1",
    "    adr x1, 2f",
    "    mov x2, #6",
    "    svc #0",
    "1:  mov x8, #73",
    "    mov x0, #0",
    "    mov x1, #0",
    "    mov x2, #0",
    "    mov x3, #0",
    "    svc #0",
    "    b 1b",
    "2:  .ascii \"hello\\n\"",
);

#[cfg(freestanding)]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}

#[cfg(not(freestanding))]
fn main() {
    eprintln!("a guest's init: the package's README says how to build it");
    std::process::exit(2);
}
