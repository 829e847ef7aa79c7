//! From the lists to programs of classic BPF (linux/Documentation/networking/filter.rst).
//!
//! The kernel asks the filter about every number when it is installed (`seccomp_cache_prepare` in linux/kernel/seccomp.c), and
//! later about each call whose answer depends on more than the number. So the filter finds a number by halves among runs of
//! numbers with one answer, of which there are far fewer than calls.

use std::collections::BTreeMap;

use libc::sock_filter;
use rustix::thread::CapabilitySet;

use super::list::{NEWEST, Table, X32, X32_OWN, X32_REFUSED};

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Allowed,
    /// EPERM, as if the process lacked the right.
    Refused,
    /// ENOSYS, as by a kernel without it: programs then try an older call.
    Unknown,
    /// Allowed where the condition on the first argument holds, else refused.
    If(Condition),
}

/// A condition on a call's first argument, as 32 bits: it is an `int` of the kernel's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// None of these values.
    Not(&'static [u32]),
    /// One of these values.
    OneOf(&'static [u32]),
    /// None of these bits.
    Without(u32),
}

use Answer::{Allowed, If, Refused, Unknown};

/// Families of sockets: AF_ALG (38), docker's for its faults (CVE-2026-31431), and AF_VSOCK (40), the way to the host, which is
/// guest-init's.
const FAMILIES: Condition = Condition::Not(&[libc::AF_ALG as u32, libc::AF_VSOCK as u32]);
/// PER_LINUX, PER_LINUX32, UNAME26 with either, and the question which it is (personality(2)).
const PERSONALITIES: Condition = Condition::OneOf(&[0, 0x8, 0x2_0000, 0x2_0008, u32::MAX]);
/// CLONE_NEW… of clone(2): a new namespace of any kind.
const NAMESPACES: Condition = Condition::Without(
    (libc::CLONE_NEWNS
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUSER
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWNET
        | libc::CLONE_NEWCGROUP)
        .cast_unsigned(),
);

/// What becomes of an architecture's calls, as far as they are not refused or unknown.
pub(super) fn answers(table: &Table, allowed: CapabilitySet) -> BTreeMap<u32, Answer> {
    let with_capability = table.with_capability.iter();
    let with_capability = with_capability
        .filter(|(capability, _)| allowed.contains(*capability))
        .flat_map(|(_, calls)| calls.iter());
    let mut answers: BTreeMap<u32, Answer> =
        table.always.iter().chain(with_capability).map(|&call| (call, Allowed)).collect();
    answers.insert(table.socket, If(FAMILIES));
    answers.insert(table.personality, If(PERSONALITIES));
    let makes_namespaces = allowed.contains(CapabilitySet::SYS_ADMIN);
    let (clone, clone3) =
        if makes_namespaces { (Allowed, Allowed) } else { (If(NAMESPACES), Unknown) };
    answers.insert(table.clone, clone);
    answers.insert(table.clone3, clone3);
    answers
}

/// The answer to a number that the list lacks. One that is newer than the list may be any call's.
pub(super) fn unlisted(number: u32) -> Answer {
    if number > NEWEST { Unknown } else { Refused }
}

/// The whole filter for programs of these architectures.
pub(super) fn filter(tables: &[&Table], allowed: CapabilitySet) -> Vec<sock_filter> {
    let mut program = vec![load(ARCHITECTURE)];
    for table in tables {
        let mut own = vec![load(NUMBER)];
        if table.architecture == AUDIT_ARCH_X86_64 {
            own.extend(x32());
        }
        own.extend(tree(&runs(&answers(table, allowed))));
        program.push(jump_if(libc::BPF_JEQ, table.architecture, 1, 0));
        program.push(jump(own.len()));
        program.extend(own);
    }
    // There is no other on these machines.
    program.extend(code(Refused));
    program
}

/// A call of x32 that has no number of its own goes on without its bit, like any other.
fn x32() -> Vec<sock_filter> {
    let end = X32_OWN.end() + 1;
    let mut own = vec![(*X32_OWN.start(), Allowed)];
    own.extend(X32_REFUSED.iter().flat_map(|&call| [(call, Refused), (call + 1, Allowed)]));
    own.push((end, Unknown));
    let own = tree(&own);
    let mut program = vec![statement(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, !X32)];
    program.push(jump_if(libc::BPF_JGE, *X32_OWN.start(), 0, length(&own)));
    program.extend(own);
    program.insert(0, jump_if(libc::BPF_JSET, X32, 0, length(&program)));
    program
}

/// Where each run of numbers with one answer begins.
fn runs(answers: &BTreeMap<u32, Answer>) -> Vec<(u32, Answer)> {
    let mut runs: Vec<(u32, Answer)> = Vec::new();
    let mut add = |number, answer| {
        if runs.last().is_none_or(|&(_, last)| last != answer) {
            runs.push((number, answer));
        }
    };
    let mut next = 0;
    for (&number, &answer) in answers {
        if number > next {
            add(next, unlisted(next));
        }
        add(number, answer);
        next = number + 1;
    }
    add(next, unlisted(next));
    runs
}

/// Finds the run of the number in the accumulator, the first of which begins at or below it.
fn tree(runs: &[(u32, Answer)]) -> Vec<sock_filter> {
    let (low, high) = match runs {
        [(_, answer)] => return code(*answer),
        runs => runs.split_at(runs.len() / 2),
    };
    let (middle, low, high) = (high[0].0, tree(low), tree(high));
    let mut program = match u8::try_from(low.len()) {
        Ok(length) => vec![jump_if(libc::BPF_JGE, middle, length, 0)],
        // A far jump knows no condition.
        Err(_) => vec![jump_if(libc::BPF_JGE, middle, 0, 1), jump(low.len())],
    };
    program.extend(low);
    program.extend(high);
    program
}

/// Answers.
fn code(answer: Answer) -> Vec<sock_filter> {
    let (operation, values, holds) = match answer {
        Allowed | Refused | Unknown => return vec![answer_with(answer)],
        If(Condition::Not(values)) => (libc::BPF_JEQ, values, Refused),
        If(Condition::OneOf(values)) => (libc::BPF_JEQ, values, Allowed),
        If(Condition::Without(ref bits)) => (libc::BPF_JSET, std::slice::from_ref(bits), Refused),
    };
    let otherwise = if holds == Allowed { Refused } else { Allowed };
    let mut program = vec![load(FIRST_ARGUMENT)];
    for (index, &value) in values.iter().enumerate() {
        program.push(jump_if(operation, value, length(&values[index..]), 0));
    }
    program.extend([answer_with(otherwise), answer_with(holds)]);
    program
}

fn answer_with(answer: Answer) -> sock_filter {
    let error = |number: i32| libc::SECCOMP_RET_ERRNO | number.unsigned_abs();
    let value = match answer {
        Allowed => libc::SECCOMP_RET_ALLOW,
        Unknown => error(libc::ENOSYS),
        Refused | If(_) => error(libc::EPERM),
    };
    statement(libc::BPF_RET | libc::BPF_K, value)
}

/// Fields of `struct seccomp_data` (seccomp(2)), in bytes from its start; of an argument the lower half on these machines.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const FIRST_ARGUMENT: u32 = 16;

/// linux/audit.h.
pub(super) const AUDIT_ARCH_X86_64: u32 = 0xc000_003e;

fn load(field: u32) -> sock_filter {
    statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, field)
}

fn jump(over: usize) -> sock_filter {
    // A program has at most 4096 instructions.
    statement(libc::BPF_JMP | libc::BPF_JA, over as u32)
}

fn jump_if(operation: u32, value: u32, over_if: u8, over_else: u8) -> sock_filter {
    let code = (libc::BPF_JMP | operation | libc::BPF_K) as u16;
    sock_filter { code, jt: over_if, jf: over_else, k: value }
}

fn statement(code: u32, value: u32) -> sock_filter {
    sock_filter { code: code as u16, jt: 0, jf: 0, k: value }
}

/// Of a short piece of program, or list.
fn length<T>(piece: &[T]) -> u8 {
    u8::try_from(piece.len()).expect("a dozen instructions")
}
