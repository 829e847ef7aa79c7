//! What a disk's thread may ask of the kernel: to read and write files that are open.

use super::table::Condition::Is;
use super::table::{ANY, Call, FUTEX, MADVISE, MMAP, MPROTECT};

/// linux/falloc.h: FALLOC_FL_PUNCH_HOLE, FALLOC_FL_KEEP_SIZE.
const PUNCH_HOLE: u32 = 0x02 | 0x01;
/// linux/falloc.h: FALLOC_FL_ZERO_RANGE, FALLOC_FL_KEEP_SIZE.
const ZERO_RANGE: u32 = 0x10 | 0x01;

/// The calls.
pub const DISK: &[Call] = &[
    Call { name: "read", rules: ANY, reason: "waits for the guest's notification (eventfd)" },
    Call { name: "write", rules: ANY, reason: "the interrupt (eventfd), the log" },
    Call { name: "preadv", rules: ANY, reason: "the guest reads" },
    Call {
        name: "pwritev",
        rules: ANY,
        reason: "the guest writes, or zeroes a range of a file system without holes",
    },
    Call {
        name: "fallocate",
        rules: &[&[Is(1, PUNCH_HOLE)], &[Is(1, ZERO_RANGE)]],
        reason: "the guest discards, or zeroes what it must not discard; the disk keeps its size",
    },
    Call {
        name: "fdatasync",
        rules: ANY,
        reason: "the guest flushes a drive whose configuration says Writeback; no container's does",
    },
    Call { name: "futex", rules: FUTEX, reason: "the device's lock" },
    Call {
        name: "mmap",
        rules: MMAP,
        reason: "malloc of what is large; a page cut off a mapped kernel while the VM runs",
    },
    Call { name: "munmap", rules: ANY, reason: "free of what is large" },
    Call { name: "mprotect", rules: MPROTECT, reason: "malloc whose heap is full" },
    Call { name: "brk", rules: ANY, reason: "malloc whose heap is full" },
    Call { name: "madvise", rules: MADVISE, reason: "free of glibc, when much is free" },
    Call { name: "rt_sigreturn", rules: ANY, reason: "the end of the handler for a page cut off" },
    Call { name: "exit_group", rules: ANY, reason: "a panic; a refused call (the jail's tests)" },
];
