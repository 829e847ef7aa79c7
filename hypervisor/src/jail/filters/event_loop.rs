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
        reason: "notifications, timers, the bell; the console's input; streams",
    },
    Call {
        name: "write",
        rules: ANY,
        reason: "interrupts, bells; streams; the log, the last words",
    },
    Call { name: "recvfrom", rules: ANY, reason: "a host program's CONNECT line; streams" },
    Call { name: "sendto", rules: ANY, reason: "streams" },
    Call {
        name: "accept4",
        rules: &[&[Is(3, ACCEPTED)]],
        reason: "a host program opens the vsock socket",
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
        reason: "the guest's alarm, and the ticks of those who wait for it",
    },
    Call { name: "getrandom", rules: ANY, reason: "the entropy device" },
    Call {
        name: "clock_gettime",
        rules: ANY,
        reason: "patience at the end, on hosts whose clock can only be read in the kernel",
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
        reason: "malloc, and a page that was cut off a mapped kernel",
    },
    Call { name: "munmap", rules: ANY, reason: "free" },
    Call { name: "mprotect", rules: MPROTECT, reason: "malloc of both C libraries" },
    Call {
        name: "mremap",
        rules: &[&[Is(3, MAYMOVE)]],
        reason: "realloc of what is large: tables of connections",
    },
    Call { name: "brk", rules: ANY, reason: "malloc of both C libraries" },
    Call { name: "madvise", rules: MADVISE, reason: "free of glibc" },
    Call { name: "rt_sigreturn", rules: ANY, reason: "the end of the handler for a page cut off" },
    Call {
        name: "restart_syscall",
        rules: ANY,
        reason: "a wait with a limit goes on after SIGSTOP and SIGCONT",
    },
    Call { name: "sigaltstack", rules: ANY, reason: "the standard library's last act" },
    Call { name: "exit_group", rules: ANY, reason: "the end" },
];
