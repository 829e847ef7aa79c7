//! For tests: namespaces of their own, against this machine's kernel.

use std::process::{Command, Stdio};

/// Says, in the environment, that this is the test inside of its namespaces.
const INSIDE: &str = "BULKHEAD_TEST_INSIDE";

fn unshare() -> Command {
    let mut unshare = Command::new("unshare");
    unshare.args(["--user", "--map-root-user", "--net", "--mount"]).stdin(Stdio::null());
    unshare
}

/// Runs `test`, the body of the test with this path, in a process where its user may do everything to a network and mounts
/// of its own. Where there can't be such, says that the test is skipped.
pub(crate) fn in_own(path: &str, test: fn()) {
    if std::env::var_os(INSIDE).is_some() {
        return test();
    }
    let try_it = "ip link add try type veth && test -w /proc/sys/net/ipv4/ip_forward";
    let possible = unshare().args(["sh", "-c", try_it]).output();
    if !possible.as_ref().is_ok_and(|output| output.status.success()) {
        let why = match &possible {
            Ok(output) => String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; "),
            Err(error) => format!("unshare: {error}"),
        };
        println!("SKIPPED: {path}: no network of its own with veth devices: {why}");
        return;
    }
    let mut inside = unshare();
    inside.arg(std::env::current_exe().unwrap()).env(INSIDE, "1");
    let output = inside.args(["--exact", path, "--nocapture"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}{errors}");
}
