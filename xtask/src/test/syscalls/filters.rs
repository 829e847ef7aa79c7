//! What the filters of a VM's threads allow, from the tables in the hypervisor's sources.

#[allow(dead_code, reason = "only the names' numbers are used here")]
#[path = "../../../../hypervisor/src/jail/filters/calls.rs"]
mod calls;
#[path = "../../../../hypervisor/src/jail/filters/disk.rs"]
mod disk;
#[path = "../../../../hypervisor/src/jail/filters/event_loop.rs"]
mod event_loop;
#[allow(dead_code, reason = "what the compiler of filters needs")]
#[path = "../../../../hypervisor/src/jail/filters/table.rs"]
mod table;
#[allow(dead_code, reason = "what the compiler of filters needs")]
#[path = "../../../../hypervisor/src/jail/filters/vcpu.rs"]
mod vcpu;

use std::fmt;

use crate::arch::Arch;
use table::{Call, Condition};

pub use vcpu::KVM_RUN;

/// A kind of thread, and what its filter allows.
pub struct Filter {
    /// The kind. A file may be called so.
    pub thread: &'static str,
    /// What such threads are called, as the kernel's tracer compares it (linux/Documentation/trace/events.rst).
    pub task: &'static str,
    calls: &'static [Call],
}

/// All kinds.
pub const FILTERS: [Filter; 3] = [
    Filter { thread: "vcpu", task: r#"comm ~ "vcpu*""#, calls: vcpu::VCPU },
    Filter { thread: "disk", task: r#"comm ~ "disk *""#, calls: disk::DISK },
    Filter {
        thread: "event-loop",
        // The main thread has the program's name.
        task: r#"comm == "bulkhead-vmm""#,
        calls: event_loop::EVENT_LOOP,
    },
];

/// The least that a filter allows: a call, where its arguments are looked at one way of calling it.
pub struct Rule {
    /// The kind of thread.
    pub thread: &'static str,
    number: u32,
    call: &'static Call,
    conditions: &'static [Condition],
}

impl Filter {
    /// What it allows on a processor.
    pub fn rules(&self, arch: Arch) -> Vec<Rule> {
        let elsewhere = match arch {
            Arch::X86_64 => Condition::Aarch64,
            Arch::Aarch64 => Condition::X86_64,
        };
        let each = |call: &'static Call| {
            let any: &'static [&'static [Condition]] = &[&[]];
            let ways = if call.rules.is_empty() { any } else { call.rules };
            let here = ways.iter().filter(|conditions| !conditions.contains(&elsewhere));
            let number = number(call.name, arch);
            here.filter_map(move |conditions| {
                Some(Rule { thread: self.thread, number: number?, call, conditions })
            })
        };
        self.calls.iter().flat_map(each).collect()
    }
}

impl Rule {
    /// Whether it allows this. The number of a process is not looked at: in the VM's eyes it is another.
    pub fn allows(&self, number: u32, arguments: &[u64]) -> bool {
        // As a filter does: 32 bits of each.
        let argument = |index: u8| arguments.get(usize::from(index)).map(|value| *value as u32);
        let holds = |condition: &Condition| match *condition {
            Condition::Is(index, value) => argument(index) == Some(value),
            Condition::Masked(index, mask, bits) => {
                argument(index).is_some_and(|value| value & mask == bits)
            }
            Condition::OwnProcess(_) | Condition::X86_64 | Condition::Aarch64 => true,
        };
        self.number == number && self.conditions.iter().all(holds)
    }

    /// What the table says that it is for.
    pub fn reason(&self) -> &'static str {
        self.call.reason
    }

    /// It lets the guest run, which is not noted: nothing else is done as often, and no VM does without.
    pub fn is_run(&self) -> bool {
        self.conditions == [Condition::Is(1, KVM_RUN)]
    }
}

/// `vcpu ioctl (argument 1 is 0xae80)`.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.thread, self.call.name)?;
        let words = self.conditions.iter().filter_map(|condition| match *condition {
            Condition::Is(index, value) => Some(format!("argument {index} is {value:#x}")),
            Condition::Masked(index, mask, bits) => {
                Some(format!("argument {index} & {mask:#x} is {bits:#x}"))
            }
            Condition::OwnProcess(index) => Some(format!("argument {index} is its process")),
            Condition::X86_64 | Condition::Aarch64 => None,
        });
        let words: Vec<String> = words.collect();
        if words.is_empty() { Ok(()) } else { write!(f, " ({})", words.join(", ")) }
    }
}

/// The number of a call, where the processor's Linux has it.
pub fn number(name: &str, arch: Arch) -> Option<u32> {
    let named = |call: &&calls::Number| call.name.strip_prefix("SYS_") == Some(name);
    let found = calls::NUMBERS.iter().find(named)?;
    match arch {
        Arch::X86_64 => found.x86_64,
        Arch::Aarch64 => found.aarch64,
    }
}
