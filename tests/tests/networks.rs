//! Networks of names, by the distribution's netavark and aardvark-dns: containers that find each other, are reached, are kept
//! apart, and leave nothing. Each test is a host of its own, as far as networks go.

#[path = "networks/egress.rs"]
mod egress;
#[path = "networks/lengths.rs"]
mod lengths;
#[path = "networks/place.rs"]
mod place;
#[path = "network/resolver.rs"]
mod resolver;
#[path = "servers/scripts.rs"]
mod scripts;
#[path = "networks/servers.rs"]
mod servers;
#[path = "networks/six.rs"]
mod six;

use std::net::TcpListener;

use bulkhead_tests::{FETCH, NOT_LOOPBACK, Server, eventually, fetched, kill};
use place::Place;

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn containers_find_each_other_by_name_and_only_on_one_network() {
    let test = "containers_find_each_other_by_name_and_only_on_one_network";
    let Some(place) = Place::new(test) else { return };
    place.says(&["network", "create", "--ipv6", "web"]);
    place.says(&["network", "create", "other"]);
    place.serve("db", &["--network", "web:alias=Data.Base,ip=10.89.0.99"]);
    place.serve("lone", &["--network", "other"]);
    // On both.
    let both = ["--network", "web:mac=02:00:00:00:00:07", "--network", "other:alias=middle"];
    place.serve("between", &both);
    let (v4, v6) = (place.address("db", "web", true), place.address("db", "web", false));
    assert_eq!(v4.to_string(), "10.89.0.99");

    let asked = format!(
        "{FETCH} fetch 300 db; fetch 300 DB; fetch 300 data.base; fetch 300 {v4}; fetch 300 [{v6}]; fetch 300 lone
         busybox ping -6 -c 1 -W 60 db >/dev/null && echo over IPv6
         cat /sys/class/net/eth0/address /etc/hosts"
    );
    let said = place.within("between", &asked);
    assert!(said.starts_with("db\ndb\ndb\ndb\ndb\nlone\nover IPv6\n02:00:00:00:00:07\n"), "{said}");
    for network in ["web", "other"] {
        let own = place.address("between", network, true).to_string();
        assert!(said.lines().any(|line| line.starts_with(&own)), "{own} is not in: {said}");
    }
    assert_eq!(place.within("lone", &format!("{FETCH} fetch 300 middle")), "between\n");

    // Who is on another network neither knows the name nor reaches the address; nor a bridge's other addresses.
    let apart = format!("{FETCH} fetch 30 db; fetch 10 {v4}; fetch 10 [{v6}]");
    assert_eq!(place.within("lone", &apart), "none\nnone\nnone\n");

    // What one has on a network no other gets there, and whoever wants it is told who that is.
    let holder = |name: &str| place.says(&["inspect", "-f", "{{slice .Id 0 12}}", name]);
    for (wish, flags, holder) in [
        (
            "mac=02:00:00:00:00:07",
            ["--network", "web", "--mac-address", "02:00:00:00:00:07"],
            holder("between"),
        ),
        ("ip=10.89.0.99", ["--network", "web", "--ip", "10.89.0.99"], holder("db")),
    ] {
        let taken = format!("network web: {wish}: container {holder} has it");
        place.world.shell(&flags, "image", "true").assert_refused(1, &[&taken]);
        let network = format!("web:{wish}");
        place.world.shell(&["--network", &network], "image", "true").assert_refused(1, &[&taken]);
    }

    // A network in use stays, and one of a running container is not changed under it.
    let refused = place.on(&["network", "rm", "web"]);
    refused.assert_refused(1, &["network web is in use by", "db", "between"]);
    for change in ["connect", "disconnect"] {
        let refused = place.on(&["network", change, "other", "db"]);
        refused.assert_refused(1, &["container db is running", "next start"]);
    }
    let shown = place.says(&["inspect", "-f", "{{json .NetworkSettings.Networks}}", "between"]);
    assert!(shown.contains("\"web\":{") && shown.contains("\"middle\""), "{shown}");

    for name in ["between", "lone", "db"] {
        place.says(&["rm", "-f", name]);
    }
    place.says(&["network", "rm", "web", "other"]);
    place.assert_nothing_left();
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn an_internal_network_has_no_way_out() {
    let Some(place) = Place::new("an_internal_network_has_no_way_out") else { return };
    place.says(&["network", "create", "--internal", "in"]);
    place.says(&["network", "create", "out"]);
    let outside = Server::start(&format!("{NOT_LOOPBACK}:0"));
    let port = outside.port();
    place.serve("db", &["--network", "in"]);
    let script = format!("{FETCH} fetch $1 db; fetch $1 {NOT_LOOPBACK}:{port}");
    let fetch = |network: &str, patience: &str| {
        let script = script.replace("fetch $1", &format!("fetch {patience}"));
        place.world.shell(&["--network", network], "image", &script)
    };
    fetch("in", "60").assert(0, "db\nnone\n", "");
    // Others have one.
    fetch("out", "60").assert(0, "none\nserved\n", "");
    assert_eq!(outside.calls(), 1);
    place.says(&["rm", "-f", "db"]);
    place.assert_nothing_left();
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn published_ports_lead_to_a_container_and_are_kept_with_its_addresses() {
    let test = "published_ports_lead_to_a_container_and_are_kept_with_its_addresses";
    let Some(place) = Place::new(test) else { return };
    place.says(&["network", "create", "--ipv6", "web"]);
    let ports = ["-p", "8080:80", "-p", "127.0.0.1::80"];
    place.serve("one", &[&["--network", "web"], &ports[..]].concat());
    let told = place.says(&["port", "one"]);
    let chosen = told.lines().find_map(|line| line.strip_prefix("80/tcp -> 127.0.0.1:")).unwrap();
    let address = || (place.address("one", "web", true), place.address("one", "web", false));
    let (v4, v6) = address();
    let reached = || {
        let local = format!("127.0.0.1:{chosen}");
        let outside = format!("{NOT_LOOPBACK}:8080");
        for at in ["127.0.0.1:8080", &local, &outside, &format!("[{v6}]:80")] {
            assert!(fetched(at, "/").ends_with("one\n"), "{at}");
        }
    };
    reached();
    assert!(place.says(&["ps", "--format", "{{.Ports}}"]).contains("0.0.0.0:8080->80/tcp"));

    // Whoever wants them too is told who has them.
    for network in ["web", "user"] {
        let flags = ["--network", network, "-p", "8080:80"];
        let second = place.world.shell(&flags, "image", "true");
        second.assert_refused(1, &["port 8080/tcp of this host is taken by process"]);
    }

    // Meanwhile another takes the next address.
    place.serve("two", &["--network", "web"]);
    place.says(&["restart", "-t", "0", "one"]);
    place.is_up("one", 2);
    assert_eq!((address(), place.says(&["port", "one"])), ((v4, v6), told.clone()));
    reached();
    place.says(&["rm", "-f", "one", "two"]);
    drop(TcpListener::bind("0.0.0.0:8080").unwrap());
    place.assert_nothing_left();
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn whatever_is_killed_nothing_is_left() {
    let Some(place) = Place::new("whatever_is_killed_nothing_is_left") else { return };
    place.says(&["network", "create", "--ipv6", "web"]);
    let next = || {
        let outcome = place.world.shell(&["--network", "web"], "image", "echo up");
        outcome.assert(0, "up\n", "");
        place.assert_nothing_left();
    };
    // The VM, whose supervisor cleans up.
    place.serve("one", &["--network", "web", "-p", "8080:80"]);
    kill(place.world.process("bulkhead-vmm"));
    place.on(&["wait", "one"]);
    assert!(eventually(|| place.world.processes().is_empty()));
    place.assert_nothing_left();
    // The supervisor: who starts next cleans up.
    place.says(&["start", "one"]);
    place.is_up("one", 2);
    kill(place.supervisor("one"));
    assert!(eventually(|| place.world.processes().is_empty()));
    next();
    // All of it, the name server too; or who removes the network.
    place.says(&["start", "one"]);
    place.is_up("one", 3);
    let server = std::fs::read_to_string("/run/bulkhead/networks/aardvark-dns/aardvark.pid");
    kill(place.supervisor("one"));
    kill(server.unwrap().trim().parse().unwrap());
    assert!(eventually(|| place.world.processes().is_empty()));
    place.says(&["rm", "one"]);
    place.says(&["network", "rm", "web"]);
    place.assert_nothing_left();
}
