//! The probe's guest: what a Linux kernel does early, in a page of code.
//!
//! It is entered in long mode, ring 0, with a page of zeroes at RSI, a stack, and an IDT whose
//! vector 3 is its own handler. Before each step it writes the step's number to [`PORT`].

use std::arch::global_asm;
use std::slice;

/// Where the guest says which step comes next.
pub const PORT: u16 = 0x80;

/// What it does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Step {
    /// `cmpxchg16b`, which Linux's allocator uses.
    CompareExchange = 1,
    /// `xrstor`, with which Linux switches between tasks.
    Xrstor,
    /// `int3` through the IDT, with which Linux patches its own code.
    Breakpoint,
    /// A million instructions.
    Loop,
    /// All done.
    Done,
}

impl Step {
    /// All of them.
    const ALL: [Step; 5] =
        [Step::CompareExchange, Step::Xrstor, Step::Breakpoint, Step::Loop, Step::Done];

    /// The step of this number.
    pub fn from_number(number: u8) -> Option<Step> {
        Step::ALL.into_iter().find(|step| *step as u8 == number)
    }

    /// Its name in a message.
    pub fn name(self) -> &'static str {
        match self {
            Step::CompareExchange => "cmpxchg16b",
            Step::Xrstor => "xrstor",
            Step::Breakpoint => "int3 through the IDT",
            Step::Loop => "a loop of a million instructions",
            Step::Done => "the end",
        }
    }
}

// Position independent, since it runs at another address than it is linked at.
global_asm!(
    ".pushsection .rodata.probe_guest, \"a\", @progbits",
    "probe_guest_start:",
    "mov dx, {port}",
    "mov al, {compare_exchange}",
    "out dx, al",
    "xor eax, eax",
    "xor edx, edx",
    "xor ebx, ebx",
    "xor ecx, ecx",
    "lock cmpxchg16b [rsi]",

    "mov dx, {port}",
    "mov al, {xrstor}",
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
    "mov al, {breakpoint}",
    "out dx, al",
    "xor ebx, ebx",
    "int3",
    // Without the handler's mark, a fault without an IDT: the host sees a triple fault.
    "test ebx, ebx",
    "jnz 3f",
    "ud2",

    "3:",
    "mov al, {loop_}",
    "out dx, al",
    "mov ecx, 500000",
    "4:",
    "dec ecx",
    "jnz 4b",
    "mov al, {done}",
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
    compare_exchange = const Step::CompareExchange as u8,
    xrstor = const Step::Xrstor as u8,
    breakpoint = const Step::Breakpoint as u8,
    loop_ = const Step::Loop as u8,
    done = const Step::Done as u8,
);

unsafe extern "C" {
    static probe_guest_start: u8;
    static probe_guest_breakpoint: u8;
    static probe_guest_end: u8;
}

/// The guest's code.
pub fn code() -> &'static [u8] {
    let start = &raw const probe_guest_start;
    let length = (&raw const probe_guest_end).addr() - start.addr();
    // SAFETY: the assembler put the two symbols around the guest's code, in read-only data.
    unsafe { slice::from_raw_parts(start, length) }
}

/// Where in the code the handler of `int3` is.
pub fn breakpoint_offset() -> u64 {
    ((&raw const probe_guest_breakpoint).addr() - (&raw const probe_guest_start).addr()) as u64
}
