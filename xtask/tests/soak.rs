//! `cargo xtask soak`: what it refuses.

use std::process::{Command, Output};

fn soak(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xtask")).arg("soak").args(words).output().unwrap()
}

#[test]
fn a_soak_of_nothing_is_refused_in_one_line() {
    let output = soak(&["--starts", "0"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), errors.lines().count()), (Some(2), 1), "{errors}");
    assert!(errors.contains("--starts"), "{errors}");
}

#[test]
fn a_peer_is_a_vmm_that_is_there() {
    for (peer, status, word) in
        [("runc=/sbin/runc", 2, "no guest"), ("firecracker=/nowhere", 1, "find /nowhere")]
    {
        let output = soak(&["--peer", peer]);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), errors.lines().count()), (Some(status), 1), "{errors}");
        assert!(errors.contains(word), "{errors}");
    }
}

#[test]
fn lives_are_no_starts_and_a_seed_is_of_lives_or_rounds() {
    for (words, word) in [
        (&["--lives", "3", "--starts", "3"][..], "--starts"),
        (&["--bare", "--lives", "3", "--rounds", "3"], "--rounds"),
        (&["--lives", "0"], "--lives"),
        (&["--seed", "3"], "--bare"),
    ] {
        let output = soak(words);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), errors.lines().count()), (Some(2), 1), "{errors}");
        assert!(errors.contains(word), "{errors}");
    }
}
