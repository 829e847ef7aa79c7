//! `cargo xtask soak`: what it says of VMMs that do and don't start their guests.

use std::process::{Command, Output};

fn soak(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xtask")).arg("soak").args(words).output().unwrap()
}

/// The figures behind `name` in the table: starts, up, VMM failed, host idle, host busy, guest spinning.
fn figures(output: &Output, name: &str) -> Vec<u32> {
    let text = String::from_utf8_lossy(&output.stdout);
    let rows = text.lines().filter_map(|line| line.strip_prefix(name));
    let mut rows = rows.map(|row| row.split_whitespace().map(str::parse).collect());
    match (rows.next_back(), String::from_utf8_lossy(&output.stderr)) {
        (Some(Ok(figures)), _) => figures,
        (_, errors) => panic!("no row of figures for {name} in: {text}{errors}"),
    }
}

#[test]
#[ignore = "needs QEMU: cargo xtask test"]
fn guests_that_come_up_and_guests_that_do_not_are_counted_apart() {
    let output = soak(&["--starts", "2"]);
    let figures_of_two = figures(&output, "bulkhead-vmm");
    assert_eq!((&*figures_of_two, output.status.code()), (&[2, 2, 0, 0, 0, 0][..], Some(0)));

    // Linux without an init gives up, and its VMM ends.
    let output = soak(&["--starts", "1", "--guest-words", "rdinit=/missing"]);
    let figures_of_one = figures(&output, "bulkhead-vmm");
    assert_eq!((&*figures_of_one, output.status.code()), (&[1, 0, 1, 0, 0, 0][..], Some(1)));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("bulkhead-vmm failed: ") && text.contains("panic"), "{text}");
}

#[test]
fn a_soak_of_nothing_is_refused_in_one_line() {
    let output = soak(&["--starts", "0"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), errors.lines().count()), (Some(2), 1), "{errors}");
    assert!(errors.contains("--starts"), "{errors}");
}
