//! What a vCPU's thread may ask of the kernel: it runs the guest and answers its exits, no more.

use super::table::Condition::{Aarch64, Is, X86_64};
use super::table::{ANY, Call, FUTEX, MADVISE, MMAP, MPROTECT};

/// linux/kvm.h: `_IO(KVMIO, 0x80)`. `build.rs` puts the question for it before all others: nothing else is called as often.
pub const KVM_RUN: u32 = 0xae80;
/// linux/kvm.h: `_IOR(KVMIO, 0x81, struct kvm_regs)`.
pub const KVM_GET_REGS: u32 = 0x8090_ae81;
/// linux/kvm.h: `_IOWR(KVMIO, 0x85, struct kvm_translation)`.
pub const KVM_TRANSLATE: u32 = 0xc018_ae85;
/// linux/kvm.h: `_IOW(KVMIO, 0xab, struct kvm_one_reg)`.
pub const KVM_GET_ONE_REG: u32 = 0x4010_aeab;

/// The calls.
pub const VCPU: &[Call] = &[
    Call {
        name: "ioctl",
        rules: &[
            &[Is(1, KVM_RUN)],
            &[X86_64, Is(1, KVM_GET_REGS)],
            &[X86_64, Is(1, KVM_TRANSLATE)],
            &[Aarch64, Is(1, KVM_GET_ONE_REG)],
        ],
        // On x86_64 no test has KVM give up: there is no instruction on which every KVM does.
        reason: "runs the guest; reads where it stands when KVM gives up on it",
    },
    Call {
        name: "write",
        rules: ANY,
        reason: "interrupts and the event loop's bell (eventfd), the serial port's output, the log",
    },
    Call {
        name: "futex",
        rules: FUTEX,
        reason: "the devices' locks, and the wait after its last word",
    },
    Call {
        name: "timerfd_settime",
        rules: ANY,
        reason: "the alarm of the guest's clock, as a guest's rtcwake sets it",
    },
    Call {
        name: "clock_gettime",
        rules: ANY,
        reason: "the guest's clock, on hosts whose clock can only be read in the kernel",
    },
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
    Call { name: "munmap", rules: ANY, reason: "free of what is large" },
    Call { name: "mprotect", rules: MPROTECT, reason: "malloc whose heap is full" },
    Call { name: "brk", rules: ANY, reason: "malloc whose heap is full" },
    Call { name: "madvise", rules: MADVISE, reason: "free of glibc, when much is free" },
    Call {
        name: "rt_sigreturn",
        rules: ANY,
        reason: "the end of a handler: the kick out of the guest, a page cut off",
    },
    Call { name: "exit_group", rules: ANY, reason: "a panic; a refused call (the jail's tests)" },
];
