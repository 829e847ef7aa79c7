//! How long a packet may be.

use std::fs;

use bulkhead_tests::{Running, Server, eventually, fetched_bytes};

use crate::loads::bytes_of;
use crate::place::setting;

/// In bytes.
const LENGTH: usize = 8 << 20;

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn packets_may_be_short_or_long() {
    let Some(world) = setting("packets_may_be_short_or_long") else { return };
    let bytes = bytes_of(LENGTH);
    fs::write(world.path("image/long"), &bytes).unwrap();
    let [v4, v6] = ["127.0.0.1:0", "[::1]:0"].map(|at| Server::with_page(at, bytes[..].into()));
    let script = format!(
        "cat /sys/class/net/eth0/mtu
         for at in 10.0.2.2:{} [fd00:0:0:2::2]:{}; do
             busybox wget -q -O - http://$at/ | busybox cmp - /long && echo the same
         done
         busybox httpd -p 80 -h /; echo up; exec sleep 1000",
        v4.port(),
        v6.port()
    );
    // The least and the most there is.
    for mtu in [1280, 65520] {
        let network = format!("user:host-loopback,mtu={mtu}");
        let flags = ["-d", "--name", "web", "--network", &network, "-p", "8080:80"];
        let run = &mut world.run_as_docker(&flags, "image", &["sh", "-c", &script]);
        let outcome = Running::start(run, "").wait();
        assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""), "{outcome:?}");
        let said = || world.bulkhead(&["logs", "web"], "").stdout;
        assert!(eventually(|| said().ends_with("up\n")), "{}", said());
        assert_eq!(said(), format!("{mtu}\nthe same\nthe same\nup\n"));
        for at in ["127.0.0.1:8080", "[::1]:8080"] {
            assert!(fetched_bytes(at, "/long").ends_with(&bytes), "{mtu} {at}");
        }
        world.bulkhead(&["rm", "-f", "web"], "").assert(0, "web\n", "");
    }
    world.assert_nothing_left();
}
