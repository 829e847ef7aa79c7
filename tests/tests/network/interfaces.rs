//! Namespaces with more than one interface, with one family, and with a path that takes less than its first link.

use std::fs;
use std::process::Command;

use bulkhead_tests::{FETCH, Running, Server, eventually, fetched, tool};

use crate::namespace::{SERVE, assert_served, assert_started, setting, start};
use crate::pod::{GATEWAY, GATEWAY_V6, POD, POD_V6, Pod};
use crate::resolver::resolver;

/// A second network of the namespace (RFC 5737 and RFC 3849: nobody else's).
const SECOND: &str = "203.0.113.2";
const SECOND_V6: &str = "2001:db8:1::2";
const SECOND_GATEWAY: &str = "203.0.113.1";
const SECOND_GATEWAY_V6: &str = "2001:db8:1::1";

/// Somebody behind the first gateway.
const FAR: &str = "2001:db8:2::2";
const FAR_GATEWAY: &str = "2001:db8:2::1";

fn ip(line: &str) {
    tool("ip", &line.split(' ').collect::<Vec<_>>());
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn a_container_has_each_interface_of_a_namespace_and_learns_what_a_path_takes() {
    let test = "a_container_has_each_interface_of_a_namespace_and_learns_what_a_path_takes";
    let Some((world, pod)) = setting(test) else { return };
    ip("link add veth1 mtu 9000 type veth peer name eth1 mtu 9000 netns pod");
    ip(&format!("address add {SECOND_GATEWAY}/24 dev veth1"));
    ip(&format!("address add {SECOND_GATEWAY_V6}/64 dev veth1 nodad"));
    ip("link set veth1 up");
    pod.ip(&format!("address add {SECOND}/24 dev eth1"));
    pod.ip(&format!("address add {SECOND_V6}/64 dev eth1 nodad"));
    pod.ip("link set eth1 up");
    let far = Pod::empty("far");
    // Far itself knows nothing of that.
    ip("link add far0 mtu 1280 type veth peer name eth0 mtu 1500 netns far");
    ip(&format!("address add {FAR_GATEWAY}/64 dev far0 nodad"));
    ip("link set far0 up");
    far.ip(&format!("address add {FAR}/64 dev eth0 nodad"));
    far.ip("link set eth0 up");
    far.ip(&format!("route add default via {FAR_GATEWAY}"));
    fs::write("/proc/sys/net/ipv6/conf/all/forwarding", "1").unwrap();

    let before = pod.dump();
    assert_started(&start(&world, &["--name", "web", &pod.flag()], SERVE));
    assert_served(&world, 1);
    for at in [format!("{SECOND}:80"), format!("[{SECOND_V6}]:80")] {
        assert!(fetched(&at, "/passwd").contains("root:"), "{at}");
    }
    let addresses = [GATEWAY, GATEWAY_V6, SECOND_GATEWAY, SECOND_GATEWAY_V6];
    let addresses =
        addresses.map(|ip| if ip.contains(':') { format!("[{ip}]") } else { ip.to_owned() });
    let servers = addresses.each_ref().map(|ip| Server::start(&format!("{ip}:0")));
    let asked = addresses
        .iter()
        .zip(&servers)
        .map(|(ip, server)| format!("fetch 300 {ip}:{}\n", server.port()));
    let script = format!(
        "{FETCH} {} cat /sys/class/net/eth0/mtu /sys/class/net/eth1/mtu",
        asked.collect::<String>()
    );
    let on = |arguments: &[&str]| world.bulkhead(arguments, "");
    on(&["exec", "web", "sh", "-c", &script]).assert(
        0,
        "served\nserved\nserved\nserved\n1400\n9000\n",
        "",
    );

    // What is too long for a link on the way is said by who is there, and sent again, shorter.
    let mut listen = Command::new("ip");
    listen.args(["netns", "exec", "far", "busybox", "nc", "-l", "-p", "1000"]);
    let listen = Running::start(listen.args(["-e", "busybox", "sha256sum"]), "");
    let send = format!(
        "seq 1 100000 >/tmp/data; sha256sum </tmp/data
         until busybox nc {FAR} 1000 </tmp/data; do busybox usleep 100000; done
         awk '/Icmp6InPktTooBigs/ {{ print $2 }}' /proc/net/snmp6"
    );
    let outcome = on(&["exec", "web", "sh", "-c", &send]);
    match outcome.stdout.lines().collect::<Vec<_>>()[..] {
        [sent, received, told] => assert!(sent == received && told != "0", "{outcome:?}"),
        _ => panic!("{outcome:?}"),
    }
    assert_eq!(listen.wait().status, 0);

    on(&["rm", "-f", "web"]).assert(0, "web\n", "");
    assert_eq!(pod.dump(), before);
    world.assert_nothing_left();
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn a_namespace_may_have_ipv6_alone() {
    let Some((world, pod)) = setting("a_namespace_may_have_ipv6_alone") else { return };
    pod.ip(&format!("address del {POD}/24 dev eth0"));
    pod.ip("neighbour flush dev eth0 nud permanent");
    resolver(&format!("[{GATEWAY_V6}]:53"), GATEWAY_V6.parse().unwrap());
    let server = Server::start(&format!("[{GATEWAY_V6}]:0"));
    let flags = ["--name", "web", "--dns", GATEWAY_V6, &pod.flag()];
    let script = format!(
        "{FETCH} fetch 300 short.test:{port}; fetch 300 long.test:{port}
         busybox ip -o -4 addr show dev eth0 | wc -l; {SERVE}",
        port = server.port()
    );
    assert_started(&start(&world, &flags, &script));
    let on = |arguments: &[&str]| world.bulkhead(arguments, "");
    let said = || on(&["logs", "web"]).stdout;
    assert!(eventually(|| said().ends_with("up\n")), "{}", said());
    assert_eq!(said(), "served\nserved\n0\nup\n");
    assert!(fetched(&format!("[{POD_V6}]:80"), "/passwd").contains("root:"));
    let facts = "{{with .NetworkSettings}}{{.IPAddress}} {{.Gateway}} {{.GlobalIPv6Address}} {{.IPv6Gateway}}{{end}}";
    on(&["inspect", "-f", facts, "web"]).assert(0, &format!("  {POD_V6} {GATEWAY_V6}\n"), "");
    on(&["rm", "-f", "web"]).assert(0, "web\n", "");
    world.assert_nothing_left();
}
