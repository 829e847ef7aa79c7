//! What programs for containers have in common: they begin, call Linux and end without a library.

// The program's own.
use crate::program::main;

// arch/x86/entry/syscalls/syscall_64.tbl
#[cfg(target_arch = "x86_64")]
const EXIT_GROUP: usize = 231;

// include/uapi/asm-generic/unistd.h
#[cfg(target_arch = "aarch64")]
const EXIT_GROUP: usize = 94;

#[cfg(target_arch = "x86_64")]
core::arch::global_asm!(".globl _start", "_start:", "and rsp, -16", "call {}", sym main);

// The stack is aligned (Arm AAPCS64, "the stack").
#[cfg(target_arch = "aarch64")]
core::arch::global_asm!(".globl _start", "_start:", "bl {}", sym main);

/// Calls the kernel; what it answers, an error being less than 0. A call that takes fewer than six arguments looks at no others.
///
/// # Safety
///
/// Arguments that are addresses are those of what the call expects, and as large.
pub unsafe fn call<const N: usize>(number: usize, arguments: [usize; N]) -> isize {
    // To copy them a function of a library would be called that is not there.
    let at = |place: usize| if place < N { arguments[place] } else { 0 };
    let result: isize;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the kernel keeps all registers but these; the caller answers for the rest.
    unsafe {
        core::arch::asm!("syscall", inlateout("rax") number => result, in("rdi") at(0), in("rsi") at(1), in("rdx") at(2),
            in("r10") at(3), in("r8") at(4), in("r9") at(5), out("rcx") _, out("r11") _, options(nostack));
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: likewise.
    unsafe {
        core::arch::asm!("svc #0", in("x8") number, inlateout("x0") at(0) => result, in("x1") at(1), in("x2") at(2),
            in("x3") at(3), in("x4") at(4), in("x5") at(5), options(nostack));
    }
    result
}

/// Ends the program.
pub fn exit(status: usize) -> ! {
    loop {
        // SAFETY: a number. It returns never.
        unsafe { call(EXIT_GROUP, [status]) };
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    exit(101)
}
