//! What Rust's test harness prints.

use super::tally::Tally;

/// A reason to be ignored or skipped that begins with one of these is no reason in the emulated host.
const NEEDS_KVM: [&str; 2] = ["needs KVM", "/dev/kvm"];

/// A reason to be ignored that begins with this is none once xtask has installed what tests need.
const NEEDS_QEMU: &str = "needs QEMU";

/// The output of one test executable, understood.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// All but the tests that wait for another place.
    pub tally: Tally,
    /// There are tests ignored because they need KVM.
    pub ignored_for_kvm: bool,
    /// There are tests ignored because they need QEMU, which xtask has installed.
    pub ignored_for_qemu: bool,
    /// There are tests that ran and skipped their work because they need KVM.
    pub skipped_for_kvm: bool,
}

/// Reads the output; `None` when it has no summary (the executable crashed).
pub fn parse(output: &str) -> Option<Outcome> {
    let mut outcome = Outcome::default();
    let mut skipped = 0;
    let mut complete = false;
    for line in output.lines() {
        if let Some(counts) = line.strip_prefix("test result: ") {
            outcome.tally.passed += count(counts, " passed")?;
            outcome.tally.failed += count(counts, " failed")?;
            complete = true;
        } else if let Some((name, reason)) = ignored(line) {
            if needs_kvm(reason) {
                outcome.ignored_for_kvm = true;
            } else if reason.starts_with(NEEDS_QEMU) {
                outcome.ignored_for_qemu = true;
            } else {
                outcome.tally.skipped.push(format!("{name}: {reason}"));
            }
        } else if let Some(skip) = line.strip_prefix("SKIPPED: ") {
            let reason = skip.split_once(": ").map_or("", |(_, reason)| reason);
            outcome.skipped_for_kvm |= needs_kvm(reason);
            outcome.tally.skipped.push(skip.to_owned());
            skipped += 1;
        }
    }
    // The harness counts a test that skipped its work as passed.
    outcome.tally.passed = outcome.tally.passed.saturating_sub(skipped);
    complete.then_some(outcome)
}

/// Whether a test has failed, in output that may break off.
pub fn has_failure(output: &str) -> bool {
    output.lines().any(|line| line.starts_with("test ") && line.ends_with(" ... FAILED"))
}

/// The names in a list that was asked for with `--list --format=terse`, in the order of the alphabet.
pub fn list(output: &str) -> Vec<String> {
    let mut names: Vec<String> =
        output.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect();
    names.sort();
    names
}

/// The number before `what` in "ok. 3 passed; 0 failed; …".
fn count(counts: &str, what: &str) -> Option<usize> {
    counts.split_once(what)?.0.rsplit(' ').next()?.parse().ok()
}

/// Name and reason of "test NAME ... ignored, REASON".
fn ignored(line: &str) -> Option<(&str, &str)> {
    let (name, result) = line.strip_prefix("test ")?.split_once(" ... ")?;
    let reason = result.strip_prefix("ignored")?;
    Some((name, reason.strip_prefix(", ").unwrap_or("ignored without a reason")))
}

fn needs_kvm(reason: &str) -> bool {
    NEEDS_KVM.iter().any(|start| reason.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "
running 6 tests
test a ... ok
test b ... FAILED
test c ... ignored, needs KVM: cargo xtask test
test d ... ignored
test e ... ok
test f ... ignored, needs QEMU: cargo xtask test

successes:

---- e stdout ----
SKIPPED: e: no network

test result: FAILED. 2 passed; 1 failed; 3 ignored; 0 measured; 0 filtered out; finished in 0.01s
";

    #[test]
    fn results_reasons_and_skips_are_counted() {
        let outcome = parse(OUTPUT).unwrap();
        assert_eq!((outcome.tally.passed, outcome.tally.failed), (1, 1));
        assert_eq!(outcome.tally.skipped, ["d: ignored without a reason", "e: no network"]);
        assert!(has_failure(OUTPUT) && !has_failure("test a ... ok\ntest b ... "));
        assert!(outcome.ignored_for_kvm && outcome.ignored_for_qemu && !outcome.skipped_for_kvm);
    }

    #[test]
    fn a_list_has_names_only() {
        assert_eq!(list("b::c: test\na: test\nx: benchmark\n"), ["a", "b::c"]);
    }

    #[test]
    fn a_crash_is_no_result() {
        assert_eq!(parse("running 1 test\n"), None);
        assert!(
            parse("SKIPPED: a: /dev/kvm: no\ntest result: ok. 1 passed; 0 failed;")
                .unwrap()
                .skipped_for_kvm
        );
    }
}
