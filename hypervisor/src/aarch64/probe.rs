//! The probe's guest: what a Linux kernel does early, in a page of code.
//!
//! It is entered as a kernel is, at EL1 with the MMU off, with the listener's address in X0. Its page
//! is its vector table too: the code ends before the first vector that is used.

use std::arch::global_asm;
use std::slice;

use arch::aarch64::layout;
use arch::aarch64::regs::{self, CpuStart};

use crate::bus::{Buses, SharedDevice};
use crate::memory::{Loader, MemoryError};

/// What the guest does. Before each it writes its number, counted from 1, to the listener; after
/// the last, one more.
pub const STEPS: [&str; 3] = [
    // Linux finds and reports its own errors with it.
    "brk through VBAR_EL1",
    // Linux keeps time by it.
    "the virtual counter",
    "a loop of a million instructions",
];

/// Where the listener is: any address without RAM.
const LISTENER: u64 = layout::PL011;
/// Where the guest is.
const CODE: u64 = layout::RAM_START;

/// Puts the guest into memory, and says how it starts.
pub fn load(loader: &mut Loader) -> Result<CpuStart, MemoryError> {
    loader.write(CODE, code())?;
    Ok(regs::boot(CODE, LISTENER))
}

/// Puts the listener where the guest expects it.
pub fn listen(listener: SharedDevice, buses: &mut Buses) {
    buses.mmio.insert(LISTENER, 1, listener);
}

// Position independent, since it runs at another address than it is linked at.
global_asm!(
    ".pushsection .rodata.probe_guest, \"a\", @progbits",
    ".balign 4",
    "probe_guest_start:",
    // SCTLR_EL1.I: without its cache for instructions a processor may be as slow as an interpreter.
    "mrs x1, sctlr_el1",
    "orr x1, x1, #1 << 12",
    "msr sctlr_el1, x1",
    "adr x1, probe_guest_start",
    "msr vbar_el1, x1",
    "isb",

    "mov w1, #1",
    "strb w1, [x0]",
    "mov w2, #0",
    "brk #0",
    "cbnz w2, 1f",
    // Without the handler's mark: PSCI SYSTEM_RESET (Arm DEN0022 §5.12), which the host sees.
    "mov w0, #0x0009",
    "movk w0, #0x8400, lsl #16",
    "hvc #0",

    "1:",
    "mov w1, #2",
    "strb w1, [x0]",
    "mrs x2, cntvct_el0",
    "2:",
    "mrs x3, cntvct_el0",
    "cmp x2, x3",
    "b.eq 2b",

    "mov w1, #3",
    "strb w1, [x0]",
    "mov w2, #{iterations} & 0xFFFF",
    "movk w2, #{iterations} >> 16, lsl #16",
    "3:",
    "subs w2, w2, #1",
    "b.ne 3b",
    "mov w1, #4",
    "strb w1, [x0]",
    "4:",
    "wfi",
    "b 4b",

    // Synchronous exception from the current level with its own stack pointer (Arm DDI 0487
    // §D1.3.1.2): the only one that comes.
    ".org probe_guest_start + 0x200",
    "mov w2, #1",
    "mrs x3, elr_el1",
    "add x3, x3, #4",
    "msr elr_el1, x3",
    "eret",
    "probe_guest_end:",
    ".popsection",
    iterations = const 500_000,
);

unsafe extern "C" {
    static probe_guest_start: u8;
    static probe_guest_end: u8;
}

/// The guest's code.
fn code() -> &'static [u8] {
    let start = &raw const probe_guest_start;
    let length = (&raw const probe_guest_end).addr() - start.addr();
    // SAFETY: the assembler put the two symbols around the guest's code, in read-only data.
    unsafe { slice::from_raw_parts(start, length) }
}
