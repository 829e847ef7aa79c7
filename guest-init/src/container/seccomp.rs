//! The system calls of a container: docker's default profile (docs.docker.com, "Seccomp security profiles for Docker"),
//! by its rules: what is not listed is refused with EPERM, as if the process lacked the right.
//!
//! Two filters, of which the kernel takes the stricter answer (seccomp(2)): the first allows the list, the second refuses
//! clone3 with ENOSYS, since a filter can't look into its arguments, and C libraries then use clone.
//!
//! The first is a search tree of the library's filters, which compare a call's number with one after the other: the kernel
//! asks it about every number when it is installed (`seccomp_cache_prepare` in linux/kernel/seccomp.c), which took 3 ms of
//! a container's start.

mod list;

use std::collections::BTreeMap;

use rustix::thread::CapabilitySet;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, sock_filter,
};

use crate::error::{During, StartError};

/// The filter's own architecture: a call of another one, of 32-bit programs for example, is refused too.
const ARCHITECTURE: TargetArch =
    if cfg!(target_arch = "aarch64") { TargetArch::aarch64 } else { TargetArch::x86_64 };

/// Installs the filters for this process and all that it becomes.
pub(super) fn install(allowed: CapabilitySet) -> Result<(), StartError> {
    for program in programs(allowed)? {
        // The kernel wants either this or CAP_SYS_ADMIN; a container's root may gain rights by set-user-ID programs, so the
        // library's `apply_filter`, which sets no_new_privs as well, is not used.
        load(&program).during("install the seccomp filter")?;
    }
    Ok(())
}

fn programs(allowed: CapabilitySet) -> Result<[BpfProgram; 2], StartError> {
    let refuse = |error: i32| SeccompAction::Errno(error.unsigned_abs());
    let main = tree(rules(allowed), &refuse(libc::EPERM), &SeccompAction::Allow)?;
    let clone3 = match allowed.contains(CapabilitySet::SYS_ADMIN) {
        true => BTreeMap::new(),
        false => BTreeMap::from([(libc::SYS_clone3, Vec::new())]),
    };
    Ok([main, tree(clone3, &SeccompAction::Allow, &refuse(libc::ENOSYS))?])
}

/// How many calls a leaf of the tree compares with, one after the other. Fewer make the program longer (a leaf costs six
/// instructions more than its calls) and hardly faster.
const LEAF: usize = 16;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// A program that finds a call's rules by halves.
fn tree(
    mut rules: Rules,
    otherwise: &SeccompAction,
    matched: &SeccompAction,
) -> Result<BpfProgram, StartError> {
    if rules.len() <= LEAF {
        return SeccompFilter::new(rules, otherwise.clone(), matched.clone(), ARCHITECTURE)
            .and_then(BpfProgram::try_from)
            .map_err(std::io::Error::other)
            .during("compile the seccomp filter");
    }
    let middle = *rules.keys().nth(rules.len() / 2).expect("there are more than a leaf's");
    let high = tree(rules.split_off(&middle), otherwise, matched)?;
    let low = tree(rules, otherwise, matched)?;
    let instruction = |code: u32, jt, jf, k| sock_filter { code: code as u16, jt, jf, k };
    // The call's number is the first field of `struct seccomp_data` (seccomp(2)). A far jump knows no condition.
    let mut program = vec![
        instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        instruction(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, 0, 1, middle as u32),
        instruction(libc::BPF_JMP | libc::BPF_JA, 0, 0, low.len() as u32),
    ];
    program.extend(low);
    program.extend(high);
    Ok(program)
}

/// What is allowed: a call without rules always, one with rules when any of them holds.
fn rules(allowed: CapabilitySet) -> Rules {
    let mut rules = Rules::new();
    let mut always = |calls: &[i64]| rules.extend(calls.iter().map(|&call| (call, Vec::new())));
    always(list::ALWAYS);
    always(list::OF_THIS_ARCHITECTURE);
    for (capability, calls) in list::WITH_CAPABILITY {
        if allowed.contains(*capability) {
            always(calls);
        }
    }
    // The family AF_VSOCK is the way to the host: guest-init's, not the container's.
    rules.insert(libc::SYS_socket, vec![rule(0, SeccompCmpOp::Ne, libc::AF_VSOCK as u64)]);
    // PER_LINUX, PER_LINUX32, UNAME26 with either, and the question which it is (personality(2)).
    let personalities = [0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff];
    let personalities = personalities.map(|value| rule(0, SeccompCmpOp::Eq, value));
    rules.insert(libc::SYS_personality, personalities.into());
    if !allowed.contains(CapabilitySet::SYS_ADMIN) {
        // clone without a new namespace.
        let namespaces = libc::CLONE_NEWNS
            | libc::CLONE_NEWUTS
            | libc::CLONE_NEWIPC
            | libc::CLONE_NEWUSER
            | libc::CLONE_NEWPID
            | libc::CLONE_NEWNET
            | libc::CLONE_NEWCGROUP;
        let none = SeccompCmpOp::MaskedEq(u64::from(namespaces.unsigned_abs()));
        rules.insert(libc::SYS_clone, vec![rule(0, none, 0)]);
    }
    rules
}

/// Holds when the argument, as 32 bits, compares so with the value.
fn rule(argument: u8, operator: SeccompCmpOp, value: u64) -> SeccompRule {
    let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value);
    let rule = condition.and_then(|condition| SeccompRule::new(vec![condition]));
    rule.expect("the argument's number is below 6")
}

/// seccomp(2), SECCOMP_SET_MODE_FILTER.
fn load(program: &BpfProgram) -> std::io::Result<()> {
    let length = program.len().try_into().map_err(std::io::Error::other)?;
    let filter = libc::sock_fprog {
        len: length,
        // The kernel only reads it. The library's instruction has the layout of the C library's.
        filter: program.as_ptr().cast_mut().cast(),
    };
    // SAFETY: `filter` describes `program`, which outlives the call; the kernel copies and checks it.
    let result = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            0 as libc::c_ulong,
            &raw const filter,
        )
    };
    if result == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_that_reach_the_kernel_itself_need_a_capability() {
        let none = rules(CapabilitySet::empty());
        for refused in [libc::SYS_mount, libc::SYS_reboot, libc::SYS_bpf, libc::SYS_init_module] {
            assert!(!none.contains_key(&refused), "{refused}");
        }
        for always in [libc::SYS_read, libc::SYS_execve, libc::SYS_futex, libc::SYS_clone3] {
            assert_eq!(none.get(&always), Some(&Vec::new()), "{always}");
        }
        assert!(rules(CapabilitySet::SYS_ADMIN).contains_key(&libc::SYS_mount));
        assert!(rules(CapabilitySet::SYS_MODULE).contains_key(&libc::SYS_init_module));
    }

    #[test]
    fn both_filters_fit_the_kernel() {
        // BPF_MAXINSNS, linux/bpf_common.h.
        for program in programs(CapabilitySet::all()).unwrap() {
            assert!(program.len() <= 4096, "{}", program.len());
        }
    }

    /// What a filter answers, and after how many instructions (linux/Documentation/networking/filter.rst).
    fn answer(program: &BpfProgram, data: &[u32; 16]) -> (u32, usize) {
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
                0x25 => at += branch(accumulator > k),
                0x35 => at += branch(accumulator >= k),
                0x06 => return (k, steps),
                code => panic!("instruction {code:#x}"),
            }
        }
        unreachable!()
    }

    #[test]
    fn the_tree_answers_as_a_list_does_and_sooner() {
        let refuse = SeccompAction::Errno(1);
        let architecture = if cfg!(target_arch = "aarch64") { 0xc000_00b7 } else { 0xc000_003e };
        for allowed in [CapabilitySet::empty(), CapabilitySet::all()] {
            let list = SeccompFilter::new(
                rules(allowed),
                refuse.clone(),
                SeccompAction::Allow,
                ARCHITECTURE,
            );
            let list = BpfProgram::try_from(list.unwrap()).unwrap();
            let tree = tree(rules(allowed), &refuse, &SeccompAction::Allow).unwrap();
            let (mut listed, mut treed) = (0, 0);
            for architecture in [architecture, 0x4000_0003] {
                for number in (0..1024).chain([0x4000_0000, 0x4000_0029, u32::MAX]) {
                    for argument in [0, 8, libc::AF_VSOCK as u32, libc::CLONE_NEWUSER as u32] {
                        let mut data = [0; 16];
                        (data[0], data[1], data[4]) = (number, architecture, argument);
                        let (expected, steps) = answer(&list, &data);
                        listed += steps;
                        let (answered, steps) = answer(&tree, &data);
                        treed += steps;
                        assert_eq!(answered, expected, "call {number} with {argument:#x}");
                    }
                }
            }
            assert!(treed * 8 < listed, "{treed} instructions instead of {listed}");
        }
    }

    /// In a child, which the filters stay with.
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
            verdict |= u8::from(refused(libc::SYS_bpf, -1) != Some(libc::EPERM)) << 1;
            verdict |= u8::from(refused(libc::SYS_clone3, 0) != Some(libc::ENOSYS)) << 2;
            verdict |=
                u8::from(refused(libc::SYS_socket, libc::AF_VSOCK.into()) != Some(libc::EPERM))
                    << 3;
            verdict |= u8::from(refused(libc::SYS_getpid, 0).is_some()) << 4;
            verdict |=
                u8::from(refused(libc::SYS_clone, libc::CLONE_NEWUSER.into()) != Some(libc::EPERM))
                    << 5;
            // SAFETY: ends the child without running what the test's process has registered.
            unsafe { libc::_exit(verdict.into()) };
        }
        let mut status = 0;
        // SAFETY: `child` is ours, and `status` is live.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert_eq!(status, 0, "each bit of the exit status is a rule that does not hold");
    }
}
