//! What the main thread may ask of the kernel once the guest runs: events, the console, sockets of the host's programs.

use super::table::Condition::{Is, OwnProcess};
use super::table::{ANY, Call, FUTEX, MADVISE, MMAP, MPROTECT};

/// AF_UNIX (linux/socket.h).
const UNIX: u32 = 1;
/// SOCK_STREAM, SOCK_CLOEXEC, SOCK_NONBLOCK (linux/net.h).
const STREAM: u32 = 1 | 0o200_0000 | 0o4000;
/// SOCK_CLOEXEC, SOCK_NONBLOCK.
const ACCEPTED: u32 = 0o200_0000 | 0o4000;
/// F_GETFD (asm-generic/fcntl.h).
const GETFD: u32 = 1;
/// MREMAP_MAYMOVE (linux/mman.h), and without MREMAP_FIXED: not over other memory.
const MAYMOVE: u32 = 1;
/// linux/if_tun.h: `_IOW('T', 208, unsigned int)`.
pub const TUNSETOFFLOAD: u32 = 0x4004_54d0;
/// SIGRTMIN of glibc and of musl: the kick.
const KICKS: [u32; 2] = [34, 35];

/// The calls.
pub const EVENT_LOOP: &[Call] = &[
    Call { name: "epoll_pwait", rules: ANY, reason: "waits for all that happens" },
    Call {
        name: "epoll_ctl",
        rules: ANY,
        reason: "begins and ceases to wait: the console, a stream, a listener",
    },
    Call {
        name: "read",
        rules: ANY,
        reason: "notifications, timers, the bell; the console's input; streams, frames",
    },
    Call {
        name: "write",
        rules: ANY,
        reason: "interrupts, bells; streams, frames; the log, the last words",
    },
    Call {
        name: "writev",
        rules: ANY,
        reason: "long frames to a TAP, as they lie in guest memory",
    },
    Call { name: "readv", rules: ANY, reason: "frames of a TAP, to where they are to lie there" },
    Call { name: "recvfrom", rules: ANY, reason: "a host program's CONNECT line; streams" },
    Call {
        name: "sendto",
        // To whom the socket is connected: the address has no length.
        rules: &[&[Is(5, 0)]],
        reason: "streams, frames to passt",
    },
    Call {
        name: "ioctl",
        rules: &[&[Is(1, TUNSETOFFLOAD)]],
        reason: "the guest's driver says which offloads its TAP may use",
    },
    Call {
        name: "accept4",
        rules: &[&[Is(3, ACCEPTED)]],
        reason: "a host program opens the vsock socket; no part of bulkhead's does",
    },
    Call {
        name: "socket",
        rules: &[&[Is(0, UNIX), Is(1, STREAM), Is(2, 0)]],
        reason: "the guest opens a connection: a Unix stream, no other family",
    },
    Call {
        name: "connect",
        rules: ANY,
        reason: "the same; there is no socket of another kind to connect",
    },
    Call { name: "shutdown", rules: ANY, reason: "the guest has sent all" },
    Call { name: "close", rules: ANY, reason: "a stream's end" },
    Call {
        name: "fcntl",
        rules: &[&[Is(1, GETFD)]],
        reason: "the standard library's look at what it closes, where debug assertions are on",
    },
    Call {
        name: "timerfd_settime",
        rules: ANY,
        reason: "the guest's alarm; limits and reports of network interfaces; ticks while a host program waits for the guest's answer",
    },
    Call { name: "getrandom", rules: ANY, reason: "the entropy device" },
    Call {
        name: "clock_gettime",
        rules: ANY,
        reason: "patience at the end, limits and filters of network interfaces, where only the kernel can read the clock",
    },
    Call {
        name: "tgkill",
        rules: &[&[OwnProcess(0), Is(2, KICKS[0])], &[OwnProcess(0), Is(2, KICKS[1])]],
        reason: "kicks a vCPU out of the guest: threads of this process only, and no other signal",
    },
    Call { name: "futex", rules: FUTEX, reason: "the devices' locks, the end of vCPUs and disks" },
    Call {
        name: "sched_yield",
        rules: ANY,
        reason: "the standard library's channels, when two threads meet in one",
    },
    Call {
        name: "mmap",
        rules: MMAP,
        reason: "malloc of what is large; a page cut off a mapped kernel while the VM runs",
    },
    Call { name: "munmap", rules: ANY, reason: "free; the standard library's last act" },
    Call { name: "mprotect", rules: MPROTECT, reason: "malloc whose heap is full" },
    Call {
        name: "mremap",
        rules: &[&[Is(3, MAYMOVE)]],
        reason: "realloc of what is large: tables of connections",
    },
    Call { name: "brk", rules: ANY, reason: "malloc whose heap is full" },
    Call { name: "madvise", rules: MADVISE, reason: "free of glibc, when much is free" },
    Call { name: "rt_sigreturn", rules: ANY, reason: "the end of the handler for a page cut off" },
    Call {
        name: "restart_syscall",
        rules: ANY,
        reason: "a wait with a limit goes on after SIGSTOP and SIGCONT",
    },
    Call { name: "sigaltstack", rules: ANY, reason: "the standard library's last act" },
    Call { name: "exit_group", rules: ANY, reason: "the end" },
];
