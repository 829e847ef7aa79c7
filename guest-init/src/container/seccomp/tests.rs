use super::list::{NEWEST, aarch64::AARCH64, arm::ARM, i386::I386, x86_64::X86_64};
use super::program::{Answer, Condition, answers, filter, unlisted};
use super::*;

mod kernel;

const PCS: [&Table; 2] = [&X86_64, &I386];
const ARMS: [&Table; 2] = [&AARCH64, &ARM];
/// x32's bit.
const X32: u32 = 0x4000_0000;

const ALLOWED: u32 = libc::SECCOMP_RET_ALLOW;
const REFUSED: u32 = libc::SECCOMP_RET_ERRNO | 1;
const UNKNOWN: u32 = libc::SECCOMP_RET_ERRNO | 38;

/// docker's 14 capabilities, as `bulkhead` gives them.
const DOCKER_S: CapabilitySet = CapabilitySet::from_bits_retain(0xa804_25fb);

/// What a filter answers, and after how many instructions (linux/Documentation/networking/filter.rst).
fn run(program: &[sock_filter], architecture: u32, number: u32, argument: u32) -> (u32, usize) {
    let mut data = [0; 16];
    (data[0], data[1], data[4]) = (number, architecture, argument);
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
            0x45 => at += branch(accumulator & k != 0),
            0x06 => return (k, steps),
            code => panic!("instruction {code:#x}"),
        }
    }
    unreachable!()
}

fn expected(answer: Answer, argument: u32) -> u32 {
    let if_holds = |holds| if holds { ALLOWED } else { REFUSED };
    match answer {
        Answer::Allowed => ALLOWED,
        Answer::Refused => REFUSED,
        Answer::Unknown => UNKNOWN,
        Answer::If(Condition::Not(values)) => if_holds(!values.contains(&argument)),
        Answer::If(Condition::OneOf(values)) => if_holds(values.contains(&argument)),
        Answer::If(Condition::Without(bits)) => if_holds(argument & bits == 0),
    }
}

#[test]
fn the_tree_answers_as_the_list_does() {
    for tables in [PCS, ARMS] {
        for capabilities in [CapabilitySet::empty(), DOCKER_S, CapabilitySet::all()] {
            let program = filter(&tables, capabilities);
            for table in tables {
                let answers = answers(table, capabilities);
                for number in (0..2048).chain(0xe_fff0..0xf_0010).chain([X32 - 1, X32 << 1]) {
                    for argument in [0, 1, 8, 38, 39, 40, 0x1000_0000, 0x0080_0011, u32::MAX] {
                        let answer = answers.get(&number).copied();
                        let expected = expected(answer.unwrap_or(unlisted(number)), argument);
                        let answer = run(&program, table.architecture, number, argument).0;
                        assert_eq!(answer, expected, "call {number} with {argument:#x}");
                    }
                }
            }
            assert_eq!(run(&program, 0, 0, 0).0, REFUSED, "of another architecture");
        }
    }
}

#[test]
fn each_list_has_each_number_once() {
    for table in [&X86_64, &I386, &AARCH64, &ARM] {
        let conditional = [table.socket, table.personality, table.clone, table.clone3];
        let mut numbers = [table.always, &conditional].concat();
        numbers.sort_unstable();
        assert!(numbers.windows(2).all(|two| two[0] < two[1]));
        assert!(numbers.contains(&NEWEST));
        for (_, calls) in table.with_capability {
            assert!(calls.iter().all(|call| !numbers.contains(call)));
        }
    }
}

#[test]
fn calls_that_reach_the_kernel_itself_need_a_capability() {
    let on = |tables: [&'static Table; 2], capabilities| {
        let program = filter(&tables, capabilities);
        move |table: &Table, number| run(&program, table.architecture, number, 0).0
    };
    let (pc, arm) = (on(PCS, DOCKER_S), on(ARMS, DOCKER_S));
    // mount, reboot, bpf, init_module, io_uring_setup, keyctl, userfaultfd.
    for number in [165, 169, 321, 175, 425, 250, 323] {
        assert_eq!(pc(&X86_64, number), REFUSED, "{number}");
    }
    for number in [21, 88, 357, 128, 425, 288, 374] {
        assert_eq!(pc(&I386, number), REFUSED, "{number}");
    }
    assert_eq!((arm(&AARCH64, 40), arm(&ARM, 21)), (REFUSED, REFUSED), "mount");
    // read, execve, futex, chroot.
    assert!([0, 59, 202, 161].iter().all(|&number| pc(&X86_64, number) == ALLOWED));
    assert!([3, 11, 240, 61].iter().all(|&number| pc(&I386, number) == ALLOWED));
    assert!([63, 221, 98, 51].iter().all(|&number| arm(&AARCH64, number) == ALLOWED));
    // The last: set_tls, which each 32-bit program of Arm's begins with.
    assert!([3, 11, 240, 61, 0xf_0005].iter().all(|&number| arm(&ARM, number) == ALLOWED));

    let all = on(PCS, CapabilitySet::all());
    assert_eq!((all(&X86_64, 165), all(&X86_64, 435), all(&I386, 21)), (ALLOWED, ALLOWED, ALLOWED));
    assert_eq!((pc(&X86_64, 435), pc(&I386, 435)), (UNKNOWN, UNKNOWN), "clone3");
    assert_eq!(on(PCS, CapabilitySet::empty())(&X86_64, 161), REFUSED, "chroot");
}

#[test]
fn what_is_newer_than_the_list_is_unknown() {
    for tables in [PCS, ARMS] {
        let program = filter(&tables, DOCKER_S);
        for table in tables {
            let answer = |number| run(&program, table.architecture, number, 0).0;
            assert_eq!(answer(NEWEST), ALLOWED);
            for number in [NEWEST + 1, 600, 0xffff, 0x3fff_ffff, 0x8000_0000, u32::MAX] {
                assert_eq!(answer(number), UNKNOWN, "{number}");
            }
        }
    }
}

#[test]
fn x32_is_x86_64_with_a_bit_and_numbers_of_its_own() {
    let program = filter(&PCS, DOCKER_S);
    let answer = |number, argument| run(&program, X86_64.architecture, number, argument).0;
    for number in 0..512 {
        assert_eq!(answer(X32 | number, 40), answer(number, 40), "{number}");
    }
    for (number, expected) in
        [(512, ALLOWED), (520, ALLOWED), (528, REFUSED), (533, REFUSED), (547, ALLOWED)]
    {
        assert_eq!(answer(X32 | number, 0), expected, "{number}");
        assert_eq!(answer(number, 0), UNKNOWN, "{number} without the bit");
    }
    assert_eq!(answer(X32 | 548, 0), UNKNOWN);
}

#[test]
fn no_socket_is_of_vsock_where_the_filter_sees_its_family() {
    let (pc, arm) = (filter(&PCS, DOCKER_S), filter(&ARMS, DOCKER_S));
    for (program, tables) in [(&pc, PCS), (&arm, ARMS)] {
        for table in tables {
            let socket = |family| run(program, table.architecture, table.socket, family).0;
            // AF_UNIX, AF_INET, AF_NETLINK, AF_NFC; AF_ALG, AF_VSOCK.
            assert!([1, 2, 16, 39, 41].iter().all(|&family| socket(family) == ALLOWED));
            assert!([38, 40].iter().all(|&family| socket(family) == REFUSED));
        }
    }
    // SYS_SOCKET and SYS_CONNECT of socketcall, glibc's only way to them for 32-bit programs of PCs.
    let socketcall = |call| run(&pc, I386.architecture, 102, call).0;
    assert_eq!((socketcall(1), socketcall(3)), (ALLOWED, ALLOWED));
}

/// The kernel asks about each number that it has, on both architectures, when the filter is installed. The filters of a
/// library, in trees of 16 calls, had 1,800 instructions for one architecture and executed 26,117 for that.
#[test]
fn the_filter_is_short_and_soon_done() {
    for (tables, most) in [(PCS, 12_000), (ARMS, 12_000)] {
        let program = filter(&tables, DOCKER_S);
        let ask = |table: &Table, number| run(&program, table.architecture, number, 0).1;
        let numbers = tables.iter().flat_map(|table| (0..470).map(move |number| (table, number)));
        let steps: usize = numbers.map(|(table, number)| ask(table, number)).sum();
        assert!(
            program.len() < 512 && steps < most,
            "{} instructions, {steps} steps",
            program.len()
        );
    }
}

/// In a child, which the filter stays with.
#[test]
fn a_filtered_process_is_refused_what_is_not_listed() {
    // SAFETY: the child makes only system calls, and allocates as this thread may: no other thread of this test holds a
    // lock of the allocator for ever (the C library resets it on fork).
    let child = unsafe { libc::fork() };
    if child == 0 {
        let refused = |call: i64, argument: i64| {
            // SAFETY: each call fails or has no effect on memory.
            let result = unsafe { libc::syscall(call as _, argument, 0, 0, 0, 0) };
            let error = std::io::Error::last_os_error().raw_os_error();
            if result == -1 { error } else { None }
        };
        // SAFETY: prctl(2) with numbers only.
        unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
        let mut verdict = u8::from(install(CapabilitySet::empty()).is_err());
        let rules = [
            (libc::SYS_bpf, -1, Some(libc::EPERM)),
            (libc::SYS_clone3, 0, Some(libc::ENOSYS)),
            (libc::SYS_socket, libc::AF_VSOCK.into(), Some(libc::EPERM)),
            (libc::SYS_getpid, 0, None),
            (libc::SYS_clone, libc::CLONE_NEWUSER.into(), Some(libc::EPERM)),
            (600, 0, Some(libc::ENOSYS)),
        ];
        for (bit, (call, argument, expected)) in rules.into_iter().enumerate() {
            verdict |= u8::from(refused(call, argument) != expected) << (bit + 1);
        }
        // SAFETY: ends the child without running what the test's process has registered.
        unsafe { libc::_exit(verdict.into()) };
    }
    let mut status = 0;
    // SAFETY: `child` is ours, and `status` is live.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert_eq!(status, 0, "each bit of the exit status is a rule that does not hold");
}
