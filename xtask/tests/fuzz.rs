//! `cargo xtask fuzz`: what it lists and what it refuses, before anything is compiled.

use std::process::{Command, Output};

fn fuzz(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xtask")).arg("fuzz").args(words).output().unwrap()
}

#[test]
fn the_targets_are_listed_one_a_line() {
    let output = fuzz(&["--list"]);
    let list = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && list.lines().any(|line| line == "tar"), "{list}");
    assert!(list.lines().is_sorted());
}

#[test]
fn what_is_no_target_and_what_is_no_file_is_refused_in_one_line() {
    let cases: [(&[&str], &str); 5] = [
        (&["tars"], "no fuzz target tars"),
        (&["tar", "--input", "/nowhere"], "/nowhere"),
        (&["tar", "--input", "/"], "--input"),
        (&["tar", "--seconds", "0"], "--seconds"),
        (&["--input", "/dev/null"], "TARGET"),
    ];
    for (words, named) in cases {
        let output = fuzz(words);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), errors.lines().count()), (Some(2), 1), "{errors}");
        assert!(errors.contains(named), "{words:?}: {errors}");
    }
}
