//! The compiled filters, asked about every call.

use std::collections::{BTreeMap, BTreeSet};

use kvm_bindings::{kvm_one_reg, kvm_regs, kvm_translation};
use libc::sock_filter;

use super::event_loop::TUNSETOFFLOAD;
use super::table::{Call, Condition};
use super::vcpu::{KVM_GET_ONE_REG, KVM_GET_REGS, KVM_RUN, KVM_TRANSLATE};
use super::*;

const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
const KILL: u32 = libc::SECCOMP_RET_KILL_PROCESS;

/// linux/audit.h.
const NATIVE: u32 = if cfg!(target_arch = "x86_64") { 0xc000_003e } else { 0xc000_00b7 };
const I386: u32 = 0x4000_0003;
const ARM: u32 = 0x4000_0028;

/// Higher than any call of Linux 7.
const NUMBERS: std::ops::RangeInclusive<u32> = 0..=600;

/// PROT_EXEC.
const EXECUTABLE: u64 = 4;

fn table(thread: Thread) -> &'static [Call] {
    match thread {
        Thread::Vcpu => super::vcpu::VCPU,
        Thread::Disk => super::disk::DISK,
        Thread::EventLoop => super::event_loop::EVENT_LOOP,
    }
}

fn refused(thread: Thread) -> u32 {
    libc::SECCOMP_RET_TRAP | thread as u32
}

/// A call's number here, or none.
fn number(name: &str) -> Option<u32> {
    let found = calls::NUMBERS.iter().find(|call| call.name.strip_prefix("SYS_") == Some(name));
    let call = found.unwrap_or_else(|| panic!("{name} has no number"));
    if cfg!(target_arch = "x86_64") { call.x86_64 } else { call.aarch64 }
}

/// What a filter answers, and after how many instructions (linux/Documentation/networking/filter.rst).
fn run(program: &[sock_filter], architecture: u32, number: u32, arguments: [u64; 6]) -> (u32, u32) {
    let mut data = vec![number, architecture, 0, 0];
    data.extend(arguments.iter().flat_map(|value| [*value as u32, (*value >> 32) as u32]));
    let (mut accumulator, mut at) = (0, 0);
    for steps in 1.. {
        let sock_filter { code, jt, jf, k } = program[at];
        at += 1;
        let branch = |holds| usize::from(if holds { jt } else { jf });
        match u32::from(code) {
            0x20 => accumulator = data[k as usize / 4],
            0x54 => accumulator &= k,
            0x05 => at += k as usize,
            0x15 => at += branch(accumulator == k),
            0x35 => at += branch(accumulator >= k),
            0x06 => return (k, steps),
            code => panic!("instruction {code:#x}"),
        }
    }
    unreachable!()
}

fn answer(thread: Thread, number: u32, arguments: [u64; 6]) -> u32 {
    run(&program(thread), NATIVE, number, arguments).0
}

fn holds(condition: &Condition, arguments: [u64; 6]) -> bool {
    let argument = |index: u8| arguments[usize::from(index)] as u32;
    match *condition {
        Condition::Is(index, value) => argument(index) == value,
        Condition::Masked(index, mask, bits) => argument(index) & mask == bits,
        Condition::OwnProcess(index) => argument(index) == std::process::id(),
        Condition::X86_64 => cfg!(target_arch = "x86_64"),
        Condition::Aarch64 => cfg!(target_arch = "aarch64"),
    }
}

/// Values that an argument may have: those of the tables, what is near them, and others.
fn values() -> BTreeSet<u64> {
    let conditions = Thread::ALL.iter().flat_map(|thread| table(*thread));
    let conditions = conditions.flat_map(|call| call.rules).flat_map(|rule| rule.iter());
    let mut values: BTreeSet<u64> = [0, 1, 2, 3, 7, 15, 0x22, u64::MAX, 1 << 32].into();
    values.insert(std::process::id().into());
    for condition in conditions {
        if let Condition::Is(_, value) | Condition::Masked(_, _, value) = condition {
            let value = u64::from(*value);
            values.extend([value, value + 1, value ^ 4, value | 1 << 31]);
        }
    }
    values
}

#[test]
fn the_filters_answer_as_the_tables_do() {
    let values = values();
    let never: BTreeSet<u32> = never::NEVER.iter().filter_map(|name| number(name)).collect();
    for thread in Thread::ALL {
        let program = program(thread);
        let table: BTreeMap<u32, &Call> =
            table(thread).iter().map(|call| (number(call.name).unwrap(), call)).collect();
        for call in NUMBERS {
            let expected = |arguments| match table.get(&call) {
                Some(call) if call.rules.is_empty() => ALLOW,
                Some(call) => {
                    let fits = |rule: &&[Condition]| rule.iter().all(|one| holds(one, arguments));
                    if call.rules.iter().any(fits) { ALLOW } else { refused(thread) }
                }
                None if never.contains(&call) => KILL,
                None => refused(thread),
            };
            // All that is looked at are the first four arguments, two of them at once at most.
            for (first, second) in [(0, 1), (0, 2), (1, 2), (2, 3)] {
                for one in &values {
                    for other in &values {
                        let mut arguments = [0; 6];
                        (arguments[first], arguments[second]) = (*one, *other);
                        let (answer, _) = run(&program, NATIVE, call, arguments);
                        assert_eq!(answer, expected(arguments), "{thread:?}: {call} {arguments:?}");
                    }
                    if table.get(&call).is_none_or(|call| call.rules.is_empty()) {
                        break;
                    }
                }
            }
        }
    }
}

#[test]
fn no_thread_asks_for_what_an_intruder_needs() {
    let forbidden = [
        "execve",
        "execveat",
        "fork",
        "vfork",
        "clone",
        "clone3",
        "ptrace",
        "mount",
        "open",
        "openat",
        "openat2",
        "io_uring_setup",
        "io_uring_enter",
        "bpf",
        "userfaultfd",
        "keyctl",
        "unshare",
        "setns",
        "kill",
        "tkill",
        "process_vm_writev",
        "pidfd_getfd",
        "rt_sigaction",
        "rt_sigprocmask",
        "seccomp",
        "prctl",
        "memfd_create",
        "sendmsg",
        "recvmsg",
        "socketpair",
        "bind",
        "dup",
        "unlinkat",
        "prlimit64",
        "eventfd2",
    ];
    for name in forbidden.into_iter().chain(never::NEVER.iter().copied()) {
        let Some(number) = number(name) else { continue };
        for thread in Thread::ALL {
            for value in [0, 1, u64::MAX] {
                assert_ne!(answer(thread, number, [value; 6]), ALLOW, "{thread:?}: {name}");
            }
        }
    }
}

#[test]
fn arguments_that_open_a_way_are_refused() {
    let number = |name| number(name).unwrap();
    let vm = 0xae01; // KVM_CREATE_VM
    let memory = 0x4020_ae46; // KVM_SET_USER_MEMORY_REGION
    let type_ahead = 0x5412; // TIOCSTI
    for thread in Thread::ALL {
        for request in [vm, memory, type_ahead, 0] {
            let answer = answer(thread, number("ioctl"), [0, request, 0, 0, 0, 0]);
            assert_ne!(answer, ALLOW, "{thread:?}: ioctl {request:#x}");
        }
        for protection in (0..16).filter(|bits| bits & EXECUTABLE != 0) {
            let arguments = [0, 4096, protection, 0x22, 0, 0];
            for call in ["mmap", "mprotect"] {
                let answer = answer(thread, number(call), arguments);
                assert_eq!(answer, refused(thread), "{thread:?}: {call} {protection}");
            }
        }
        // WAKE, WAIT and WAIT_BITSET, of this process alone.
        for operation in 0..=512 {
            let allowed = answer(thread, number("futex"), [0, operation, 0, 0, 0, 0]) == ALLOW;
            assert_eq!(allowed, [128, 129, 137].contains(&operation), "{thread:?}: {operation}");
        }
        // MAP_SHARED of something, MAP_PRIVATE of a file.
        for flags in [0x01, 0x02, 0x21, 0x03] {
            let answer = answer(thread, number("mmap"), [0, 4096, 3, flags, 5, 0]);
            assert_eq!(answer, refused(thread), "{thread:?}: mmap with flags {flags:#x}");
        }
    }
    let main = |name, arguments| answer(Thread::EventLoop, number(name), arguments);
    let stream = 0o200_4001;
    assert_eq!(main("socket", [1, stream, 0, 0, 0, 0]), ALLOW);
    for (family, kind) in
        [(2, stream), (10, stream), (16, 3), (38, 5), (40, stream), (1, 2), (1, 0o200_4002)]
    {
        assert_ne!(main("socket", [family, kind, 0, 0, 0, 0]), ALLOW, "{family} {kind}");
    }
    for (command, allowed) in (0..16).map(|command| (command, command == 1)) {
        assert_eq!(main("fcntl", [5, command, 0, 0, 0, 0]) == ALLOW, allowed, "{command}");
    }
    // TUNSETOFFLOAD, and what would attach a TAP to another interface, or give it away.
    assert_eq!(main("ioctl", [5, TUNSETOFFLOAD.into(), 7, 0, 0, 0]), ALLOW);
    for request in [0x4004_54ca_u64, 0x4004_54cb, 0x4004_54cc, 0x4004_54d5, 0x4004_54d9] {
        assert_ne!(main("ioctl", [5, request, 7, 0, 0, 0]), ALLOW, "{request:#x}");
    }
    // To whom the socket is connected, and to nobody else.
    for (length, allowed) in [(0, true), (1, false), (16, false), (0xffff_ffff, false)] {
        assert_eq!(main("sendto", [5, 0x1000, 16, 0, 1 << 32, length]) == ALLOW, allowed);
    }
    let own = u64::from(std::process::id());
    assert_eq!(main("tgkill", [own, 7, 34, 0, 0, 0]), ALLOW);
    for (process, signal) in [(own + 1, 34), (1 << 31, 34), (own, 9), (own, 31), (own, 0)] {
        assert_ne!(main("tgkill", [process, 7, signal, 0, 0, 0]), ALLOW, "{process} {signal}");
    }
    assert_ne!(main("mremap", [0, 0, 0, 3, 0, 0]), ALLOW, "MREMAP_FIXED");
}

#[test]
fn other_processors_calls_end_the_process() {
    for thread in Thread::ALL {
        let program = program(thread);
        for call in NUMBERS {
            for other in [I386, ARM, 0, NATIVE ^ 1] {
                assert_eq!(run(&program, other, call, [0; 6]).0, KILL);
            }
            // x32.
            assert_eq!(run(&program, NATIVE, call | 0x4000_0000, [0; 6]).0, KILL, "{call}");
        }
    }
}

#[test]
fn the_lists_are_short() {
    let count = |thread| table(thread).len();
    let counts = Thread::ALL.map(count);
    assert_eq!(counts, [13, 14, 31]);
    let all: BTreeSet<_> =
        Thread::ALL.iter().flat_map(|thread| table(*thread)).map(|call| call.name).collect();
    assert!(all.len() <= 40, "{}", all.len());
    let lengths = Thread::ALL.map(|thread| program(thread).len());
    assert!(lengths.iter().all(|length| *length <= 320), "{lengths:?}");
    assert!(table(Thread::Disk).iter().all(|call| !call.reason.is_empty()));
}

#[test]
fn the_guest_is_entered_after_seven_instructions() {
    let arguments = [0, KVM_RUN.into(), 0, 0, 0, 0];
    let (answer, steps) = run(&program(Thread::Vcpu), NATIVE, number("ioctl").unwrap(), arguments);
    assert_eq!((answer, steps), (ALLOW, 7));
}

#[test]
fn numbers_are_those_of_the_c_library() {
    let ours = calls::NUMBERS.iter().filter_map(|call| {
        let number = if cfg!(target_arch = "x86_64") { call.x86_64 } else { call.aarch64 };
        Some((call.name, i64::from(number?)))
    });
    assert_eq!(ours.collect::<Vec<_>>(), calls::of_the_c_library());
    assert_eq!(OWN_PROCESS, table::OWN_PROCESS);
}

/// asm-generic/ioctl.h: direction, size, type and number of a request.
#[test]
fn requests_are_those_of_the_bindings() {
    let request = |direction: u32, size: usize, number| {
        direction << 30 | (size as u32) << 16 | kvm_bindings::KVMIO << 8 | number
    };
    const WRITE: u32 = 1;
    const READ: u32 = 2;
    assert_eq!(TUNSETOFFLOAD, rustix::ioctl::opcode::write::<u32>(b'T', 208));
    assert_eq!(KVM_RUN, request(0, 0, 0x80));
    assert_eq!(KVM_TRANSLATE, request(READ | WRITE, size_of::<kvm_translation>(), 0x85));
    assert_eq!(KVM_GET_ONE_REG, request(WRITE, size_of::<kvm_one_reg>(), 0xab));
    // The structure of another processor has another size, and its kernel no such request.
    if cfg!(target_arch = "x86_64") {
        assert_eq!(KVM_GET_REGS, request(READ, size_of::<kvm_regs>(), 0x81));
    }
}
