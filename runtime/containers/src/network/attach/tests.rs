//! In network namespaces of the test's own: a veth whose other end is somebody else's, as CNI, docker and podman have
//! it.

mod described;
mod frames;
mod killed;
mod refused;
mod traffic;
mod undone;

use std::path::Path;

use super::*;
use crate::network::testing::{TestNet, until};

/// Gives `container` a veth pair's end `eth0` with IPv4 and IPv6; the other end is `peer0` in `outside`.
fn veth(outside: &TestNet, container: &TestNet) {
    let path = container.path().display().to_string();
    outside.run(&format!("ip link add peer0 type veth peer name eth0 netns {path}"));
    outside.run("ip address add 10.0.0.1/24 dev peer0");
    outside.run("ip address add 2001:db8::1/64 dev peer0 nodad");
    outside.run("ip link set peer0 up");
    container.run("ip address add 10.0.0.2/24 dev eth0");
    container.run("ip address add 2001:db8::2/64 dev eth0 nodad");
    container.run("ip link set eth0 up");
    container.run("ip route add default via 10.0.0.1");
    container.run("ip route add default via 2001:db8::1");
    outside.await_link("peer0");
    container.await_link("eth0");
}

/// Whose an attachment is.
const OWNER: &str = "container web, process 7";

fn refusal(path: &Path, records: &Path) -> String {
    let error = attach(path, records, OWNER).expect_err("it was attached");
    let text = in_one_line(&error);
    assert!(!text.contains('\n') && text.contains(&*path.display().to_string()), "{text}");
    text
}
