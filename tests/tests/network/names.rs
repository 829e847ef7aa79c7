//! Names whose answers are long: a datagram holds only their start, and the rest is asked for over TCP.

use bulkhead_tests::{FETCH, NOT_LOOPBACK, Server, World};

use crate::place::setting;
use crate::resolver::resolver;

/// What a container gets of a server by a name with a short answer and by one with a long one.
fn fetch(world: &World, flags: &[&str], port: u16) -> String {
    let script = format!("{FETCH} fetch 300 short.test:{port}; fetch 300 long.test:{port}");
    let outcome = world.shell(flags, "image", &script);
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""), "{outcome:?}");
    outcome.stdout
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn long_answers_come_over_tcp() {
    let Some(world) = setting("long_answers_come_over_tcp") else { return };
    for at in ["127.0.0.1:53", &format!("{NOT_LOOPBACK}:53")] {
        resolver(at, NOT_LOOPBACK.parse().unwrap());
    }
    let server = Server::start(&format!("{NOT_LOOPBACK}:0"));
    // Of a server somewhere, and of the host's own at the gateway's address.
    let both = "served\nserved\n";
    assert_eq!(fetch(&world, &["--dns", NOT_LOOPBACK], server.port()), both);
    let own = ["--network", "user:host-loopback", "--dns", "10.0.2.2"];
    assert_eq!(fetch(&world, &own, server.port()), both);
    world.assert_nothing_left();
}
