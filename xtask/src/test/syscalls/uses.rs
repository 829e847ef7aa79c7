//! What the tracer noted, understood.

use std::collections::{BTreeMap, BTreeSet};

use super::filters::{Filter, Rule, number};
use crate::arch::Arch;

/// How often each rule was used, by its words; and what no rule allows, by its number.
pub type Uses = BTreeMap<String, u64>;

/// Reads what was noted of one kind of threads.
pub struct Reader {
    thread: &'static str,
    rules: Vec<Rule>,
    seccomp: Option<u32>,
    ioctl: Option<u32>,
    /// The threads that have their filter.
    filtered: BTreeSet<u32>,
    /// What was found so far.
    pub uses: Uses,
}

/// A call that was noted.
#[derive(Debug, PartialEq, Eq)]
struct Noted {
    thread: u32,
    /// `None`: of ioctl(2).
    number: Option<u32>,
    arguments: Vec<u64>,
}

impl Reader {
    /// Nothing is read yet.
    pub fn new(filter: &Filter, arch: Arch) -> Reader {
        Reader {
            thread: filter.thread,
            rules: filter.rules(arch),
            seccomp: number("seccomp", arch),
            ioctl: number("ioctl", arch),
            filtered: BTreeSet::new(),
            uses: Uses::new(),
        }
    }

    /// Counts the call of a line, if there is one. What a thread asks for before its own seccomp(2), and this itself, no
    /// filter sees.
    pub fn read(&mut self, line: &str) {
        let Some(noted) = Noted::parse(line) else { return };
        let number = noted.number.or(self.ioctl).unwrap_or_default();
        if !self.filtered.contains(&noted.thread) {
            if Some(number) == self.seccomp {
                self.filtered.insert(noted.thread);
            }
            return;
        }
        let words = match self.rules.iter().find(|rule| rule.allows(number, &noted.arguments)) {
            Some(rule) => rule.to_string(),
            None => format!("{} call {number} {:x?}", self.thread, noted.arguments),
        };
        *self.uses.entry(words).or_default() += 1;
    }
}

impl Noted {
    /// `disk root-42 [000] ..... 1.5: sys_enter: NR 74 (5, 0, 0, 0, 0, 0)`, or
    /// `vcpu0-41 [000] ..... 1.5: sys_ioctl(fd: c, cmd: 8090ae81, arg: 7f00)`: numbers are hexadecimal but the call's.
    fn parse(line: &str) -> Option<Noted> {
        let (task, rest) = line.split_once(" [")?;
        let thread = task.trim_end().rsplit_once('-')?.1.parse().ok()?;
        if let Some((_, call)) = rest.split_once(": sys_enter: NR ") {
            let (number, arguments) = call.trim_end().strip_suffix(')')?.split_once(" (")?;
            let arguments = arguments.split(", ").map(hexadecimal).collect::<Option<_>>()?;
            return Some(Noted { thread, number: Some(number.parse().ok()?), arguments });
        }
        let (_, arguments) = rest.split_once(": sys_ioctl(")?;
        let values = arguments.trim_end().strip_suffix(')')?.split(", ");
        let arguments = values.map(|value| hexadecimal(value.split_once(": ")?.1));
        Some(Noted { thread, number: None, arguments: arguments.collect::<Option<_>>()? })
    }
}

fn hexadecimal(digits: &str) -> Option<u64> {
    u64::from_str_radix(digits.trim_start_matches("0x"), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test::syscalls::filters::FILTERS;

    #[test]
    fn calls_count_from_the_filter_on_and_each_way_of_calling_by_itself() {
        let vcpu = FILTERS.iter().find(|filter| filter.thread == "vcpu").unwrap();
        let mut reader = Reader::new(vcpu, Arch::X86_64);
        let text = "\
# tracer: nop
           <...>-7       [000] .....     1.000000: sys_enter: NR 10 (7f00, 1000, 3, 0, 0, 0)
           vcpu0-7       [000] .....     1.000001: sys_enter: NR 317 (1, 0, 7f00, 0, 0, 0)
           vcpu0-7       [000] .....     1.000002: sys_enter: NR 1 (5, 7f00, 8, 0, 0, 0)
           vcpu0-7       [000] .....     1.000003: sys_ioctl(fd: c, cmd: 8090ae81, arg: 7f00)
           vcpu1-8       [000] .....     1.000003: sys_enter: NR 11 (7f00, 1000, 0, 0, 0, 0)
           vcpu0-7       [000] .....     1.000004: sys_enter: NR 202 (7f00, ffffffff00000081, 1, 0, 0, 0)
           vcpu0-7       [000] .....     1.000005: sys_enter: NR 1 (5, 7f00, 8, 0, 0, 0)
           vcpu0-7       [000] .....     1.000006: sys_enter: NR 9 (0, 1000, 4, 22, 0, 0)
";
        text.lines().for_each(|line| reader.read(line));
        let uses: Vec<_> = reader.uses.iter().map(|(words, n)| (words.as_str(), *n)).collect();
        let refused = "vcpu call 9 [0, 1000, 4, 22, 0, 0]";
        assert_eq!(
            uses,
            [
                (refused, 1),
                ("vcpu futex (argument 1 is 0x81)", 1),
                ("vcpu ioctl (argument 1 is 0x8090ae81)", 1),
                ("vcpu write", 2),
            ]
        );
    }

    #[test]
    fn a_name_may_have_spaces_and_hyphens() {
        let noted =
            Noted::parse("  disk a-b-42      [001] ..... 1.5: sys_enter: NR 83 (5, 0, 0, 0, 0, 0)");
        assert_eq!(
            noted,
            Some(Noted { thread: 42, number: Some(83), arguments: vec![5, 0, 0, 0, 0, 0] })
        );
        assert_eq!(Noted::parse("CPU:0 [LOST 12 EVENTS]"), None);
    }
}
