//! Compiles the tables of system calls to filters, so that a VMM has neither a compiler in it nor its work to wait for.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

use libc::{
    BPF_ABS, BPF_JA, BPF_JEQ, BPF_JGE, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W, SECCOMP_RET_ALLOW,
    SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_TRAP,
};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, sock_filter,
};

#[path = "src/jail/filters/calls.rs"]
mod calls;
#[path = "src/jail/filters/disk.rs"]
mod disk;
#[path = "src/jail/filters/event_loop.rs"]
mod event_loop;
#[path = "src/jail/filters/never.rs"]
mod never;
#[path = "src/jail/filters/table.rs"]
mod table;
#[path = "src/jail/filters/thread.rs"]
mod thread;
#[path = "src/jail/filters/vcpu.rs"]
mod vcpu;

use table::{Call, Condition};
use thread::Thread;

/// Fields of `struct seccomp_data` (seccomp(2)), in bytes from its start; of the argument the lower half.
const NUMBER: u32 = 0;
const SECOND_ARGUMENT: u32 = 24;
/// Bit 30 marks calls of x32 (linux/arch/x86/include/uapi/asm/unistd.h); no processor has a number so high.
const X32: u32 = 0x4000_0000;

/// What seccompiler's program begins with: a look at the architecture.
const HEAD: usize = 3;

type Numbers = BTreeMap<&'static str, u32>;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/jail/filters");
    let architecture = env::var("CARGO_CFG_TARGET_ARCH").expect("cargo sets it");
    let numbers = numbers(&architecture);
    let mut source = String::new();
    for (name, thread, table) in [
        ("VCPU", Thread::Vcpu, vcpu::VCPU),
        ("DISK", Thread::Disk, disk::DISK),
        ("EVENT_LOOP", Thread::EventLoop, event_loop::EVENT_LOOP),
    ] {
        write_program(&mut source, name, &compile(table, thread, &numbers, &architecture));
    }
    write_names(&mut source, &numbers);
    let folder = env::var("OUT_DIR").expect("cargo sets it");
    fs::write(Path::new(&folder).join("filters.rs"), source).expect("a file in cargo's folder");
}

/// The calls that the processor's Linux has.
fn numbers(architecture: &str) -> Numbers {
    calls::NUMBERS
        .iter()
        .filter_map(|number| {
            let own = if architecture == "x86_64" { number.x86_64 } else { number.aarch64 };
            Some((number.name.strip_prefix("SYS_").unwrap_or(number.name), own?))
        })
        .collect()
}

/// So many numbers are compared one after the other.
const IN_A_ROW: usize = 8;

/// A thread's filter. seccompiler would ask for the calls one after the other, and the kernel, which goes through a new filter
/// for each number that there is (`seccomp_cache_prepare` in linux/kernel/seccomp.c), would take milliseconds for it: so
/// seccompiler makes what looks at a call's arguments, and a tree of comparisons leads to it.
fn compile(table: &[Call], thread: Thread, numbers: &Numbers, architecture: &str) -> BpfProgram {
    let refuse = SECCOMP_RET_TRAP | thread as u32;
    let killed = vec![answer(SECCOMP_RET_KILL_PROCESS)];
    let never = never::NEVER.iter().filter_map(|name| Some((*numbers.get(name)?, killed.clone())));
    let mut known: BTreeMap<u32, BpfProgram> = never.collect();
    let mut head = BpfProgram::new();
    for call in table {
        let (before, judgement) = judge(call, refuse, numbers, architecture);
        head = before;
        let is_new = known.insert(numbers[call.name], judgement).is_none();
        assert!(is_new, "{thread:?}: {} stands in two places", call.name);
    }
    let mut program = head;
    if thread == Thread::Vcpu {
        program.extend(run_first(numbers));
    }
    program.extend([jump_if(BPF_JGE, X32, 0, 1), answer(SECCOMP_RET_KILL_PROCESS)]);
    program.extend(decide(&Vec::from_iter(known), &vec![answer(refuse)]));
    program
}

/// What is done with one call: what comes before all else, which looks at the architecture and loads the call's number, and
/// what follows once it is this call.
fn judge(
    call: &Call,
    refuse: u32,
    numbers: &Numbers,
    architecture: &str,
) -> (BpfProgram, BpfProgram) {
    let target = TargetArch::try_from(architecture).expect("a processor of seccompiler's");
    let rules = BTreeMap::from([(numbers[call.name].into(), rules(call, architecture))]);
    let filter = SeccompFilter::new(rules, SeccompAction::Trap, SeccompAction::Allow, target);
    let mut whole = filter.and_then(BpfProgram::try_from).expect("a table that seccompiler takes");
    // Between them is the comparison with the number, at the end the answer to all others.
    let mut judgement = whole.split_off(HEAD + 1);
    judgement.pop();
    judgement.remove(0);
    for operation in &mut judgement {
        if (operation.code, operation.k) == ((BPF_RET | BPF_K) as u16, SECCOMP_RET_TRAP) {
            operation.k = refuse;
        }
    }
    match call.rules {
        [] => (whole, vec![answer(SECCOMP_RET_ALLOW)]),
        _ => (whole, judgement),
    }
}

/// What is done with a call by its number, which is loaded: what is known of it, or else it is refused.
fn decide(known: &[(u32, BpfProgram)], refused: &BpfProgram) -> BpfProgram {
    if known.len() <= IN_A_ROW {
        return compare(known, refused);
    }
    let (below, above) = known.split_at(known.len() / 2);
    let (from, below) = (above[0].0, decide(below, refused));
    // A conditional jump goes no further than 255 instructions.
    let mut decision = match u8::try_from(below.len()) {
        Ok(over) => vec![jump_if(BPF_JGE, from, over, 0)],
        Err(_) => vec![jump_if(BPF_JGE, from, 0, 1), jump(below.len())],
    };
    decision.extend(below);
    decision.extend(decide(above, refused));
    decision
}

fn compare(known: &[(u32, BpfProgram)], refused: &BpfProgram) -> BpfProgram {
    let mut outcomes = vec![refused];
    let mut comparisons = BpfProgram::new();
    for (index, (number, program)) in known.iter().enumerate() {
        let place = outcomes.iter().position(|outcome| *outcome == program);
        let place = place.unwrap_or(outcomes.len());
        if place == outcomes.len() {
            outcomes.push(program);
        }
        let before: usize = outcomes[..place].iter().map(|outcome| outcome.len()).sum();
        let over = u8::try_from(known.len() - index - 1 + before).expect("a short row");
        comparisons.push(jump_if(BPF_JEQ, *number, over, 0));
    }
    comparisons.extend(outcomes.into_iter().flatten().cloned());
    comparisons
}

/// The rules that fit the processor.
fn rules(call: &Call, architecture: &str) -> Vec<SeccompRule> {
    let elsewhere = match architecture {
        "x86_64" => Condition::Aarch64,
        _ => Condition::X86_64,
    };
    let here = call.rules.iter().filter(|conditions| !conditions.contains(&elsewhere));
    let rules: Vec<_> = here
        .map(|conditions| {
            let conditions = conditions.iter().filter_map(condition).collect();
            SeccompRule::new(conditions).expect("a rule with a condition")
        })
        .collect();
    assert_eq!(rules.is_empty(), call.rules.is_empty(), "{}: no rule is left", call.name);
    rules
}

fn condition(condition: &Condition) -> Option<SeccompCondition> {
    use SeccompCmpOp::{Eq, MaskedEq};
    let (argument, operation, value) = match *condition {
        Condition::Is(argument, value) => (argument, Eq, value),
        Condition::Masked(argument, mask, bits) => (argument, MaskedEq(mask.into()), bits),
        Condition::OwnProcess(argument) => (argument, Eq, table::OWN_PROCESS),
        Condition::X86_64 | Condition::Aarch64 => return None,
    };
    let length = SeccompCmpArgLen::Dword;
    Some(SeccompCondition::new(argument, length, operation, value.into()).expect("an argument"))
}

/// KVM_RUN, before all else.
fn run_first(numbers: &Numbers) -> BpfProgram {
    vec![
        jump_if(BPF_JEQ, numbers["ioctl"], 0, 4),
        load(SECOND_ARGUMENT),
        jump_if(BPF_JEQ, vcpu::KVM_RUN, 0, 1),
        answer(SECCOMP_RET_ALLOW),
        load(NUMBER),
    ]
}

fn load(field: u32) -> sock_filter {
    sock_filter { code: (BPF_LD | BPF_W | BPF_ABS) as u16, jt: 0, jf: 0, k: field }
}

fn jump_if(operation: u32, value: u32, over_if: u8, over_else: u8) -> sock_filter {
    let code = (BPF_JMP | operation | BPF_K) as u16;
    sock_filter { code, jt: over_if, jf: over_else, k: value }
}

fn jump(over: usize) -> sock_filter {
    let k = u32::try_from(over).expect("a short program");
    sock_filter { code: (BPF_JMP | BPF_JA) as u16, jt: 0, jf: 0, k }
}

fn answer(value: u32) -> sock_filter {
    sock_filter { code: (BPF_RET | BPF_K) as u16, jt: 0, jf: 0, k: value }
}

fn write_program(source: &mut String, name: &str, program: &[sock_filter]) {
    let length = program.len();
    writeln!(source, "pub static {name}: [libc::sock_filter; {length}] = [").expect("a string");
    for sock_filter { code, jt, jf, k } in program {
        let fields = format!("code: {code:#x}, jt: {jt}, jf: {jf}, k: {k:#x}");
        writeln!(source, "    libc::sock_filter {{ {fields} }},").expect("a string");
    }
    source.push_str("];\n");
}

fn write_names(source: &mut String, numbers: &Numbers) {
    let length = numbers.len();
    writeln!(source, "pub static NAMES: [(u32, &str); {length}] = [").expect("a string");
    for (name, number) in numbers {
        writeln!(source, "    ({number}, {name:?}),").expect("a string");
    }
    source.push_str("];\n");
}
