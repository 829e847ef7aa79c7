//! Networks of names whose containers reach what rules have, and nothing else.

use bulkhead_tests::{FETCH, NOT_LOOPBACK, Server, eventually};

use crate::place::Place;

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn rules_of_a_network_or_of_a_container_hold_on_it() {
    let test = "rules_of_a_network_or_of_a_container_hold_on_it";
    let Some(place) = Place::new(test) else { return };
    let allowed = Server::start(&format!("{NOT_LOOPBACK}:0"));
    let other = Server::start(&format!("{NOT_LOOPBACK}:0"));
    let (port, other_port) = (allowed.port(), other.port());
    let rule = format!("{NOT_LOOPBACK}:{port}/tcp");
    place.says(&["network", "create", "--egress", &rule, "ruled"]);
    place.says(&["network", "create", "free"]);
    for (network, own) in [("ruled", None), ("free", Some(rule.as_str()))] {
        place.serve("db", &["--network", network]);
        let db = place.address("db", network, true);
        let script = format!(
            "{FETCH} fetch 300 {NOT_LOOPBACK}:{port}; fetch 10 {NOT_LOOPBACK}:{other_port}; fetch 10 {db}
             echo up; exec sleep 1000"
        );
        let mut flags = vec!["--network", network];
        flags.extend(own.into_iter().flat_map(|rule| ["--egress", rule]));
        place.start("web", &flags, &script);
        place.is_up("web", 1);
        assert_eq!(place.on(&["logs", "web"]).stdout, "served\nnone\nnone\nup\n");
        // What was dropped is told while it runs, and is still there after its end.
        let told = || place.on(&["logs", "--egress", "web"]).stdout;
        let wanted = [format!("{NOT_LOOPBACK}:{other_port}"), format!("{db}:80")];
        let is_told = || wanted.iter().all(|to| told().contains(to));
        assert!(eventually(is_told), "while it runs: {}", told());
        place.says(&["stop", "-t", "0", "web"]);
        assert!(is_told(), "after its end: {}", told());
        place.says(&["rm", "-f", "web"]);
        // Without rules `db` is there.
        if own.is_some() {
            place.start(
                "web",
                &flags[..2],
                &format!("{FETCH} fetch 300 {db}; echo up; exec sleep 1000"),
            );
            place.is_up("web", 1);
            assert_eq!(place.on(&["logs", "web"]).stdout, "db\nup\n");
            place.says(&["rm", "-f", "web"]);
        }
        place.says(&["rm", "-f", "db"]);
    }
    assert_eq!((allowed.calls(), other.calls()), (2, 0));
    place.says(&["network", "rm", "ruled", "free"]);
    place.assert_nothing_left();
}
