//! The program as this machine's kernel runs it, against the lists. No call is made: those that are allowed fail with
//! an error that no call has.

use super::*;

/// In the place of "allowed": the greatest error that seccomp(2) passes on (MAX_ERRNO, linux/err.h).
const MARK: u32 = libc::SECCOMP_RET_ERRNO | 4095;

/// Calls that a kernel since Linux 6.14 asks no filter about (`__secure_computing`, linux/kernel/seccomp.c): uretprobe
/// and uprobe of x86_64, which the kernel has programs make.
const UNFILTERED: &[u32] = if cfg!(target_arch = "x86_64") { &[335, 336] } else { &[] };

/// What is asked of the kernel, and what it answered to the last of it that came out wrong.
struct Report {
    number: u32,
    argument: u32,
    error: i32,
    asked: u32,
}

#[cfg(target_arch = "x86_64")]
const NATIVE: (&[&Table], &Table) = (&PCS, &X86_64);
#[cfg(target_arch = "aarch64")]
const NATIVE: (&[&Table], &Table) = (&ARMS, &AARCH64);

/// The marked program, which lets the child end.
fn marked(capabilities: CapabilitySet) -> Vec<sock_filter> {
    let mut program = filter(NATIVE.0, capabilities);
    for instruction in &mut program {
        if (u32::from(instruction.code), instruction.k) == (0x06, ALLOWED) {
            instruction.k = MARK;
        }
    }
    let instruction = |code, jf, k| sock_filter { code, jt: 0, jf, k };
    let end = libc::SYS_exit_group as u32;
    let head = [instruction(0x20, 0, 0), instruction(0x15, 1, end), instruction(0x06, 0, ALLOWED)];
    [&head[..], &program].concat()
}

fn expected_error(
    capabilities: &std::collections::BTreeMap<u32, Answer>,
    number: u32,
    argument: u32,
) -> i32 {
    let answer = capabilities.get(&number).copied().unwrap_or(unlisted(number));
    match expected(answer, argument) {
        ALLOWED => 4095,
        REFUSED => libc::EPERM,
        _ => libc::ENOSYS,
    }
}

#[test]
fn the_kernel_answers_as_the_list_does() {
    for capabilities in [CapabilitySet::empty(), DOCKER_S, CapabilitySet::all()] {
        let program = marked(capabilities);
        let answers = answers(NATIVE.1, capabilities);
        let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping, large enough for one aligned Report, for which zeros are valid; nobody else has it.
        let report = unsafe {
            let page = libc::mmap(std::ptr::null_mut(), 4096, access, flags, -1, 0);
            assert_ne!(page, libc::MAP_FAILED);
            &mut *page.cast::<Report>()
        };
        // SAFETY: the child makes system calls only, and no allocation.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: prctl(2) with numbers only; ends the child without running what the test's process has registered.
            unsafe {
                libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
                if load(&program).is_err() {
                    libc::_exit(2);
                }
            }
            let end = libc::SYS_exit_group as u32;
            for number in (0..NEWEST + 16)
                .chain([600, 1023, 0x3fff_ffff])
                .filter(|&number| number != end && !UNFILTERED.contains(&number))
            {
                for argument in [0, 1, 8, 38, 39, 40, 0x1000_0000, 0x0080_0011, u32::MAX] {
                    // SAFETY: the filter lets none of them come to the kernel.
                    unsafe {
                        libc::syscall(number as _, libc::c_ulong::from(argument), 0, 0, 0, 0)
                    };
                    let error = std::io::Error::last_os_error().raw_os_error().unwrap_or_default();
                    report.asked += 1;
                    if error != expected_error(&answers, number, argument) {
                        (report.number, report.argument, report.error) = (number, argument, error);
                    }
                }
            }
            // SAFETY: as above.
            unsafe { libc::_exit(i32::from(report.error != 0)) };
        }
        let mut status = 0;
        // SAFETY: `child` is ours, and `status` is live.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        let Report { number, argument, error, asked } = *report;
        assert_eq!(status, 0, "call {number} with {argument:#x}: error {error}, {asked} asked");
        assert!(asked > 9 * NEWEST);
    }
}
