//! What a table of system calls says. `build.rs` reads the tables too.

/// A call that a thread may make.
pub struct Call {
    /// Its name, as in [`NUMBERS`](super::calls::NUMBERS).
    pub name: &'static str,
    /// It may be made if one of them fits, each of which fits if all its conditions hold. None: whatever its arguments.
    pub rules: &'static [&'static [Condition]],
    /// What for. If no end-to-end test makes it, which `cargo xtask bench --syscalls` tells, also when it is made.
    #[allow(dead_code, reason = "for readers of the table")]
    pub reason: &'static str,
}

/// A condition on a call. An argument is looked at as 32 bits: as an `int` of the kernel's, or its lower half, where no
/// bit of the upper half means anything.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// The argument has this value.
    Is(u8, u32),
    /// The argument has these bits of a mask, in the order argument, mask, bits.
    Masked(u8, u32, u32),
    /// The argument is the number of this process, which is known when the filter is installed.
    OwnProcess(u8),
    /// The processor is an x86_64.
    X86_64,
    /// The processor is an aarch64.
    Aarch64,
}

use Condition::{Is, Masked};

/// Whatever the arguments.
pub const ANY: &[&[Condition]] = &[];

/// linux/futex.h: WAKE, WAIT_BITSET (the standard library) and WAIT (locks of both C libraries, malloc's before all: two
/// threads meet at one by chance only), each with PRIVATE. Without it musl waits for its list of threads, when one begins
/// or ends: none does so with a filter.
pub const FUTEX: &[&[Condition]] = &[&[Is(1, 129)], &[Is(1, 137)], &[Is(1, 128)]];

/// PROT_EXEC (asm-generic/mman-common.h) is not asked for.
const NOT_EXECUTABLE: Condition = Masked(2, 4, 0);

/// Memory of this process alone, and no file's: MAP_PRIVATE and MAP_ANONYMOUS, of MAP_TYPE and these two
/// (linux/mman.h).
pub const MMAP: &[&[Condition]] = &[&[NOT_EXECUTABLE, Masked(3, 0x2f, 0x22)]];

/// No page becomes executable.
pub const MPROTECT: &[&[Condition]] = &[&[NOT_EXECUTABLE]];

/// MADV_DONTNEED (asm-generic/mman-common.h): glibc gives back the end of a thread's heap.
pub const MADVISE: &[&[Condition]] = &[&[Is(2, 4)]];

/// Stands in a compiled filter for the number of this process. No process has it (linux/threads.h, `PID_MAX_LIMIT`).
pub const OWN_PROCESS: u32 = 0xffff_fffe;
