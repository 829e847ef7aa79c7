//! `cargo xtask bench --syscalls`: which system calls the tests use of those that the filters of a VM's threads allow.
//!
//! Each suite runs in an emulated host of its own, whose kernel notes what the threads of every `bulkhead-vmm` ask for once
//! they have their filter. A rule that no suite uses is printed with the reason that its table has for it: whoever finds
//! none that holds removes the call.

mod filters;
mod record;
mod uses;

use std::time::Instant;

use super::machine::Machine;
use super::part::Part;
use super::place::Place;
use super::ran::{Left, Ran};
use super::suite::{self, Suite};
use crate::arch::Arch;
use crate::build;
use crate::error::Error;
use crate::kernel::Choice;
use filters::{FILTERS, Rule};
use uses::Uses;

pub use record::{INNER_COMMAND, InnerArgs};

/// The suites that run VMs to see what they do. The others only look at what VMs are refused, or start none.
const SUITES: [&str; 11] = [
    "hypervisor: vmm",
    "tests: containers",
    "tests: copies",
    "tests: ends",
    "tests: fifty",
    "tests: isolation",
    "tests: lifecycle",
    "tests: machines",
    "tests: memory",
    "tests: pauses",
    "tests: streams",
];

/// Runs those with `name` in their name, and the bare guest's checks, and prints what they did not use; the status is 1 when a
/// test failed.
pub fn run(arch: Arch, name: &str) -> Result<u8, Error> {
    let place = Place::provide(arch, None, Choice::default())?;
    let targets: Vec<&str> = SUITES.iter().filter_map(|suite| suite.split(' ').nth(1)).collect();
    let suites = suite::build_targets(arch, &targets)?;
    let suites = suites.into_iter().filter(|suite| SUITES.contains(&suite.name.as_str()));
    // None: the bare guest's checks.
    let mut all: Vec<Option<Suite>> = [None].into_iter().chain(suites.map(Some)).collect();
    all.retain(|suite| called(suite.as_ref()).contains(name));
    if all.is_empty() {
        return Err(Error::Usage(format!("--syscalls={name}: no suite's name contains that")));
    }
    let mut uses = Uses::new();
    let mut failed = 0;
    for suite in all.iter().map(Option::as_ref) {
        let began = Instant::now();
        let name = called(suite);
        let (ran, used) = match run_noting(&place, suite) {
            // As with the tests: what ran in a host that stood still says nothing.
            Err(Error::StoodStill(how)) => {
                eprintln!("xtask: the emulated host stood still: {how}; running {name} again");
                run_noting(&place, suite)?
            }
            result => result?,
        };
        println!("{}{name}: {} ({:.0} s)", ran.told, ran.tally, began.elapsed().as_secs_f32());
        failed += ran.tally.failed;
        for (words, count) in used {
            *uses.entry(words).or_default() += count;
        }
    }
    print!("{}", report(arch, &uses));
    Ok(u8::from(failed > 0))
}

fn called(suite: Option<&Suite>) -> &str {
    suite.map_or("bare guest", |suite| &suite.name)
}

/// Runs a suite, or the bare guest's checks, in a new host, and says what its VMs asked for.
fn run_noting(place: &Place, suite: Option<&Suite>) -> Result<(Ran, Uses), Error> {
    let mut machine = Machine::start(place.arch, place.cpu)?;
    inside(&mut machine, "begin")?;
    let ran = match suite {
        Some(suite) => place.run_in(&mut machine, suite, Left::All, Part::WHOLE)?,
        None => place.bare_guest_in(&mut machine)?,
    };
    let text = inside(&mut machine, "read")?;
    let uses = serde_json::from_str(&text)
        .map_err(|error| Error::Content(format!("what was noted: {error}\n{text}")))?;
    Ok((ran, uses))
}

fn inside(machine: &mut Machine, what: &str) -> Result<String, Error> {
    let xtask = build::xtask(machine.arch())?;
    let ended = machine.run_command(vec![xtask.into(), INNER_COMMAND.into(), what.into()])?;
    match ended.status {
        0 => Ok(ended.output),
        _ => Err(Error::Content(ended.output)),
    }
}

/// How often each rule was used; then those that never were, each with its reason.
fn report(arch: Arch, uses: &Uses) -> String {
    let rules = FILTERS.iter().flat_map(|filter| filter.rules(arch));
    let rules: Vec<Rule> = rules.filter(|rule| !rule.is_run()).collect();
    let mut text = format!("\n{:>9}  used on {}\n", "times", arch.name());
    for (words, count) in uses {
        text += &format!("{count:9}  {words}\n");
    }
    let unused = rules.iter().filter(|rule| !uses.contains_key(&rule.to_string()));
    let unused: Vec<&Rule> = unused.collect();
    text += &format!("\n{} of {} rules not used on {}", unused.len(), rules.len(), arch.name());
    text += " (of KVM_RUN no count is kept)\n";
    for rule in unused {
        text += &format!("{rule}: {}\n", rule.reason());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_test_used_is_told_with_its_reason() {
        for arch in [Arch::X86_64, Arch::Aarch64] {
            let all: Vec<Rule> = FILTERS.iter().flat_map(|filter| filter.rules(arch)).collect();
            let mut uses: Uses = all.iter().map(|rule| (rule.to_string(), 1)).collect();
            assert!(report(arch, &uses).contains("\n0 of "), "{}", report(arch, &uses));
            let unused = all.iter().find(|rule| rule.to_string() == "disk fdatasync").unwrap();
            uses.remove(&unused.to_string());
            let text = report(arch, &uses);
            let last = format!("{unused}: {}\n", unused.reason());
            assert!(text.contains("\n1 of ") && text.ends_with(&last), "{text}");
        }
    }
}
