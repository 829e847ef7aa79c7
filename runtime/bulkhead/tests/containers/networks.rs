//! `bulkhead network`, as far as that needs no VM.

use serde_json::Value;

use super::{create, place};

#[test]
fn networks_are_made_shown_and_removed() {
    let Some(place) = place("networks_are_made_shown_and_removed") else { return };
    // Of documentation (RFC 5737): this machine has no such address.
    let subnet = ["network", "create", "--subnet", "203.0.113.0/24", "--label", "team=a"];
    let id = place.says(&[&subnet[..], &["web"]].concat()).trim_end().to_owned();
    assert!(id.len() == 64, "{id}");
    let six =
        ["network", "create", "--ipv4=false", "--subnet", "2001:db8:5::/64", "--internal", "six"];
    place.says(&six);
    let list = place.says(&["network", "ls"]);
    let lines: Vec<Vec<&str>> =
        list.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["NETWORK", "ID", "NAME", "DRIVER", "SCOPE"]);
    assert_eq!(lines[2], [&id[..12], "web", "bridge", "local"], "{list}");
    assert_eq!(
        place.says(&["network", "ls", "-q", "--no-trunc", "-f", "name=we"]),
        format!("{id}\n")
    );
    let format = ["network", "list", "--format", "{{.Name}} {{.IPv4}} {{.IPv6}} {{.Internal}}"];
    assert_eq!(place.says(&format), "six false true true\nweb true false false\n");
    let inspect = |name: &str| -> Value {
        let text = place.says(&["network", "inspect", name]);
        serde_json::from_str::<Value>(&text).unwrap()[0].clone()
    };
    let web = inspect("web");
    assert_eq!(web["IPAM"]["Config"][0]["Gateway"], "203.0.113.1");
    assert_eq!((&web["Labels"]["team"], &web["Internal"]), (&"a".into(), &false.into()));
    assert_eq!(inspect("six")["EnableIPv4"], false);

    create(&place, &["--name", "one"]);
    place.says(&["network", "connect", "--ip", "203.0.113.9", "--alias", "db", "web", "one"]);
    assert_eq!(inspect("web")["Users"][0], "one");
    for (arguments, status, message) in [
        (
            &["network", "rm", "web"][..],
            1,
            "network web is in use by one: disconnect or remove them first",
        ),
        (&["network", "connect", "web", "one"], 2, "network web is named twice"),
        (&["network", "connect", "web:ip=203.0.113.1", "one"], 1, "has it as its gateway"),
        (&["network", "connect", "none", "one"], 1, "'none' is no network"),
        (&["network", "create", "web"], 1, "the name web is taken by network"),
        (&["network", "create", "host"], 2, "'host' is no name for a network"),
        (
            &["network", "create", "--subnet", "203.0.113.128/25", "x"],
            2,
            "overlaps 203.0.113.0/24, that of network web",
        ),
        (&["network", "create", "--subnet", "127.0.0.0/24", "x"], 2, "loopback"),
        (&["network", "create", "--subnet", "203.0.113.1/24", "x"], 2, "give 203.0.113.0/24"),
        (
            &["network", "create", "--gateway", "198.51.100.1", "x"],
            2,
            "give its network with --subnet",
        ),
        (&["network", "create", "-o", "mtu=70000", "x"], 2, "has 68 to 65521 bytes"),
        (
            &["network", "create", "-o", "bridge=lo", "x"],
            2,
            "this host has an interface of this name",
        ),
        (
            &["network", "create", "--ip-range", "203.0.113.0/28", "x"],
            2,
            "--ip-range: addresses are chosen",
        ),
        (&["network", "disconnect", "six", "one"], 1, "container one is not on network six"),
        (&["network", "inspect", "gone"], 1, "'gone' is no network"),
    ] {
        let output = place.command(arguments).output().unwrap();
        let line = String::from_utf8(output.stderr).unwrap();
        assert!(line.contains(message) && line.lines().count() == 1, "{arguments:?}: {line}");
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {line}");
    }
    assert_eq!(place.says(&["network", "prune", "-f"]), "Deleted Networks:\nsix\n\n");
    place.says(&["network", "disconnect", "-f", "six", "one"]);
    place.says(&["network", "disconnect", "web", "one"]);
    assert_eq!(place.says(&["network", "rm", "web"]), "web\n");
    place.says(&["network", "rm", "-f", "web"]);
    assert_eq!(place.says(&["network", "prune"]), "");
}
