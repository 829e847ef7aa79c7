//! Compiles the tables of system calls to filters, so that a VMM has neither a compiler in it nor its work to wait for.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

use libc::{
    BPF_ABS, BPF_JEQ, BPF_JGE, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W, SECCOMP_RET_ALLOW,
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

/// A thread's filter. seccompiler asks for the calls one after the other, in the order of their numbers; what is asked most
/// often goes before them, what is never asked behind.
fn compile(table: &[Call], thread: Thread, numbers: &Numbers, architecture: &str) -> BpfProgram {
    let target = TargetArch::try_from(architecture).expect("a processor of seccompiler's");
    let rules: BTreeMap<i64, Vec<SeccompRule>> = table
        .iter()
        .map(|call| (i64::from(numbers[call.name]), rules(call, architecture)))
        .collect();
    assert_eq!(rules.len(), table.len(), "{thread:?}: a call stands in the table twice");
    let filter = SeccompFilter::new(rules, SeccompAction::Trap, SeccompAction::Allow, target);
    let whole = filter.and_then(BpfProgram::try_from).expect("a table that seccompiler takes");
    let (head, mut body) = (&whole[..HEAD + 1], whole[HEAD + 1..whole.len() - 1].to_vec());
    let refuse = SECCOMP_RET_TRAP | thread as u32;
    for operation in &mut body {
        if (operation.code, operation.k) == ((BPF_RET | BPF_K) as u16, SECCOMP_RET_TRAP) {
            operation.k = refuse;
        }
    }
    let mut program = head.to_vec();
    if thread == Thread::Vcpu {
        program.extend(run_first(numbers));
    }
    program.extend(body);
    program.extend(refusals(refuse, numbers));
    program
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

/// What is in no table: killed at once, or refused with a word.
fn refusals(refuse: u32, numbers: &Numbers) -> BpfProgram {
    let never = never::NEVER.iter().filter_map(|name| numbers.get(name));
    let mut tests: BpfProgram = vec![jump_if(BPF_JGE, X32, 0, 0)];
    tests.extend(never.map(|number| jump_if(BPF_JEQ, *number, 0, 0)));
    // Behind the last one comes the refusal, behind that the end.
    let count = tests.len();
    for (index, test) in tests.iter_mut().enumerate() {
        test.jt = u8::try_from(count - index).expect("a short list");
    }
    tests.extend([answer(refuse), answer(SECCOMP_RET_KILL_PROCESS)]);
    tests
}

fn load(field: u32) -> sock_filter {
    sock_filter { code: (BPF_LD | BPF_W | BPF_ABS) as u16, jt: 0, jf: 0, k: field }
}

fn jump_if(operation: u32, value: u32, over_if: u8, over_else: u8) -> sock_filter {
    let code = (BPF_JMP | operation | BPF_K) as u16;
    sock_filter { code, jt: over_if, jf: over_else, k: value }
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
