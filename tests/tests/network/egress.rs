//! A container that may reach what its rules have, and nothing else.

use bulkhead_tests::{FETCH, NOT_LOOPBACK, Running, Server, eventually};

use crate::place::setting;
use crate::resolver::resolver;

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn a_container_reaches_what_its_rules_have_and_nothing_else() {
    let test = "a_container_reaches_what_its_rules_have_and_nothing_else";
    let Some(world) = setting(test) else { return };
    // Every name is that of the one address at which both servers are.
    resolver("127.0.0.1:53", NOT_LOOPBACK.parse().unwrap());
    let named = Server::start(&format!("{NOT_LOOPBACK}:0"));
    let other = Server::start(&format!("{NOT_LOOPBACK}:0"));
    let (port, other_port) = (named.port(), other.port());
    // The address is good after its name was asked for, at that port.
    let script = format!(
        "{FETCH} fetch 10 {NOT_LOOPBACK}:{port}; fetch 300 allowed.test:{port}; fetch 300 evil.test:{port}
         fetch 10 {NOT_LOOPBACK}:{other_port}; fetch 300 {NOT_LOOPBACK}:{port}; exec sleep 1000"
    );
    let rule = format!("allowed.test:{port}/tcp");
    let flags = ["-d", "--name", "web", "--network", "user:host-loopback", "--dns", "10.0.2.2"];
    let flags = [&flags[..], &["--egress", &rule]].concat();
    let command = &mut world.run_as_docker(&flags, "image", &["sh", "-c", &script]);
    let outcome = Running::start(command, "").wait();
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""), "{outcome:?}");
    let on = |arguments: &[&str]| world.bulkhead(arguments, "");
    let said = || on(&["logs", "web"]).stdout;
    assert!(eventually(|| said().lines().count() == 5), "{}", said());
    assert_eq!(said(), "none\nserved\nnone\nnone\nserved\n");
    assert_eq!((named.calls(), other.calls()), (2, 0));

    // What was dropped is told, to where and why; the interface's counters too.
    let dropped = || on(&["logs", "--egress", "web"]).stdout;
    let of_address = format!("{NOT_LOOPBACK}:{other_port}");
    assert!(eventually(|| dropped().contains(&of_address)), "{}", dropped());
    assert!(dropped().contains("evil.test"), "{}", dropped());
    let transfer = on(&["stats", "--no-stream", "--format", "{{.NetIO}}", "web"]).stdout;
    assert!(!transfer.starts_with("0B"), "{transfer}");
    on(&["rm", "-f", "web"]).assert(0, "web\n", "");
    world.assert_nothing_left();
}
