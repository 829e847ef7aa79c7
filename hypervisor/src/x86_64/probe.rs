//! The probe's guest: what a Linux kernel does early, in a page of code.
//!
//! It is entered in long mode, ring 0, with a page of zeroes at RSI, a stack, and an IDT whose
//! vector 3 is its own handler.

use std::arch::global_asm;
use std::slice;

use arch::x86_64::layout;
use arch::x86_64::regs::{self, CpuStart, TableRegister};

use crate::bus::{Buses, SharedDevice};
use crate::memory::{Loader, MemoryError};

/// What the guest does. Before each it writes its number, counted from 1, to the listener; after
/// the last, one more.
pub const STEPS: [&str; 4] = [
    // Linux's allocator uses it.
    "cmpxchg16b",
    // Linux switches between tasks with it.
    "xrstor",
    // Linux patches its own code with it.
    "int3 through the IDT",
    "a loop of a million instructions",
];

/// Where the listener is.
const PORT: u16 = 0x80;
/// The guest's interrupt descriptor table, in a page that nothing else uses.
const IDT: u64 = 0x1000;
/// Vector of `int3` (Intel SDM 3A §6.3.1).
const BREAKPOINT: u64 = 3;

/// Puts the guest into memory, and says how it starts.
pub fn load(loader: &mut Loader) -> Result<CpuStart, MemoryError> {
    let mut start = regs::long_mode(layout::KERNEL, layout::ZERO_PAGE);
    let idt = idt(start.code.selector, layout::KERNEL + breakpoint_offset());
    start.idt = TableRegister { base: IDT, limit: (idt.len() - 1) as u16 };
    for (gpa, bytes) in start.memory() {
        loader.write(gpa, &bytes)?;
    }
    loader.write(IDT, &idt)?;
    loader.write(layout::KERNEL, code())?;
    Ok(start)
}

/// Puts the listener where the guest expects it.
pub fn listen(listener: SharedDevice, buses: &mut Buses) {
    buses.ports.insert(PORT.into(), 1, listener);
}

/// A table whose only entry is the handler of `int3`: a 64-bit interrupt gate
/// (Intel SDM 3A §6.14.1).
fn idt(selector: u16, handler: u64) -> Vec<u8> {
    const PRESENT_INTERRUPT_GATE: u64 = 0x8E << 40;
    let low = (handler & 0xFFFF)
        | u64::from(selector) << 16
        | PRESENT_INTERRUPT_GATE
        | (handler >> 16 & 0xFFFF) << 48;
    let high = handler >> 32;
    let mut table = vec![0; 16 * BREAKPOINT as usize];
    table.extend(low.to_le_bytes());
    table.extend(high.to_le_bytes());
    table
}

// Position independent, since it runs at another address than it is linked at.
global_asm!(
    ".pushsection .rodata.probe_guest, \"a\", @progbits",
    "probe_guest_start:",
    "mov dx, {port}",
    "mov al, 1",
    "out dx, al",
    "xor eax, eax",
    "xor edx, edx",
    "xor ebx, ebx",
    "xor ecx, ecx",
    "lock cmpxchg16b [rsi]",

    "mov dx, {port}",
    "mov al, 2",
    "out dx, al",
    // A processor without XSAVE (CPUID.1:ECX[26]) boots Linux without it.
    "mov eax, 1",
    "cpuid",
    "bt ecx, 26",
    "jnc 2f",
    // CR4: OSFXSR, OSXMMEXCPT, OSXSAVE (Intel SDM 3A §2.5); XCR0: x87 and SSE (§2.6).
    "mov rax, cr4",
    "or eax, 0x40600",
    "mov cr4, rax",
    "xor ecx, ecx",
    "xor edx, edx",
    "mov eax, 3",
    "xsetbv",
    "xor edx, edx",
    "mov eax, 3",
    "xrstor [rsi]",

    "2:",
    "mov dx, {port}",
    "mov al, 3",
    "out dx, al",
    "xor ebx, ebx",
    "int3",
    // Without the handler's mark, a fault without an IDT: the host sees a triple fault.
    "test ebx, ebx",
    "jnz 3f",
    "ud2",

    "3:",
    "mov al, 4",
    "out dx, al",
    "mov ecx, 500000",
    "4:",
    "dec ecx",
    "jnz 4b",
    "mov al, 5",
    "out dx, al",
    "5:",
    "hlt",
    "jmp 5b",

    "probe_guest_breakpoint:",
    "inc ebx",
    "iretq",
    "probe_guest_end:",
    ".popsection",
    port = const PORT,
);

unsafe extern "C" {
    static probe_guest_start: u8;
    static probe_guest_breakpoint: u8;
    static probe_guest_end: u8;
}

/// The guest's code.
fn code() -> &'static [u8] {
    let start = &raw const probe_guest_start;
    let length = (&raw const probe_guest_end).addr() - start.addr();
    // SAFETY: the assembler put the two symbols around the guest's code, in read-only data.
    unsafe { slice::from_raw_parts(start, length) }
}

/// Where in the code the handler of `int3` is.
fn breakpoint_offset() -> u64 {
    ((&raw const probe_guest_breakpoint).addr() - (&raw const probe_guest_start).addr()) as u64
}
