//! A network of IPv6 alone.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::process::Command;

use bulkhead_tests::{FETCH, Server, fetched, tool};

use crate::place::Place;
use crate::resolver::resolver;

/// An address of the host's (RFC 3849: nobody else has it).
const OUTSIDE: &str = "2001:db8::1";

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn a_network_of_ipv6_alone_is_a_whole_one() {
    let Some(place) = Place::new("a_network_of_ipv6_alone_is_a_whole_one") else { return };
    tool("ip", &["address", "add", &format!("{OUTSIDE}/128"), "dev", "lo", "nodad"]);
    let outside = Server::start(&format!("[{OUTSIDE}]:0"));
    resolver(&format!("[{OUTSIDE}]:53"), OUTSIDE.parse().unwrap());
    place.says(&["network", "create", "--ipv4=false", "--ipv6", "six"]);
    place.serve("one", &["--network", "six:alias=first", "-p", "8080:80"]);
    let address = place.address("one", "six", false);
    let script = format!(
        "{FETCH} fetch 300 one; fetch 300 first; fetch 300 [{address}]
         fetch 300 [{OUTSIDE}]:{port}; fetch 300 short.test:{port}; fetch 30 long.test:{port}
         busybox ip -o -4 addr show dev eth0 | wc -l",
        port = outside.port()
    );
    let flags = ["--network", "six", "--dns", OUTSIDE];
    let long = if asks_over_tcp() { "served" } else { "none" };
    let expected = format!("one\none\none\nserved\nserved\n{long}\n0\n");
    place.world.shell(&flags, "image", &script).assert(0, &expected, "");

    // Published on addresses of IPv6, and on no others.
    assert_eq!(place.says(&["port", "one"]), "80/tcp -> [::]:8080");
    assert_eq!(place.says(&["ps", "--format", "{{.Ports}}"]), "[::]:8080->80/tcp");
    assert_eq!(
        TcpStream::connect("127.0.0.1:8080").unwrap_err().kind(),
        ErrorKind::ConnectionRefused
    );
    assert!(fetched(&format!("[{OUTSIDE}]:8080"), "/").ends_with("one\n"));
    let refused =
        place.world.shell(&["--network", "six", "-p", "127.0.0.1:8081:80"], "image", "true");
    refused.assert_refused(
        1,
        &["--publish: 127.0.0.1 is of IPv4, which no network of the container has"],
    );

    place.says(&["restart", "-t", "0", "one"]);
    place.is_up("one", 2);
    assert_eq!(place.address("one", "six", false), address);
    assert!(fetched(&format!("[{OUTSIDE}]:8080"), "/").ends_with("one\n"));
    place.says(&["rm", "-f", "one"]);
    place.assert_nothing_left();
}

/// Whether aardvark-dns answers over TCP, and asks others so: from 1.12 on.
fn asks_over_tcp() -> bool {
    let output = Command::new("/usr/lib/podman/aardvark-dns").arg("--version").output().unwrap();
    let version = String::from_utf8(output.stdout).unwrap();
    let numbers = version.trim_end().rsplit(' ').next().unwrap().split('.');
    let numbers: Vec<u32> = numbers.map(|number| number.parse().unwrap()).collect();
    numbers >= vec![1, 12]
}
