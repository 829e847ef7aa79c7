//! How long a packet may be.

use crate::place::Place;

/// What each container does: it has some of its own for who asks for it.
const DATA: &str = "mkdir /www; head -c 4000000 /dev/urandom >/www/data; busybox httpd -p 80 -h /www; echo up; exec sleep 1000";

/// How many packets were cut to pieces (proc_pid_net(5), `snmp` and `snmp6`).
const CUT: &str = "awk '/^Ip:/ { if (at) print $at; else for (at = 1; $at != \"FragCreates\"; at++); }' /proc/net/snmp
    awk '/Ip6FragCreates/ { print $2 }' /proc/net/snmp6";

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn packets_are_as_long_as_a_network_has_them() {
    let Some(place) = Place::new("packets_are_as_long_as_a_network_has_them") else { return };
    // The least and the most there is.
    for (name, mtu) in [("short", "mtu=1280"), ("long", "mtu=65521")] {
        place.says(&["network", "create", "--ipv6", "-o", mtu, name]);
    }
    for name in ["one", "two"] {
        place.start(name, &["--network", "short", "--network", "long"], DATA);
        place.is_up(name, 1);
    }
    for (name, other) in [("one", "two"), ("two", "one")] {
        let mtus = place.within(name, "cat /sys/class/net/eth0/mtu /sys/class/net/eth1/mtu");
        assert_eq!(mtus, "1280\n65521\n");
        let digest = place.within(other, "sha256sum </www/data");
        let address = |network, is_v4| match place.address(other, network, is_v4) {
            std::net::IpAddr::V6(v6) => format!("[{v6}]"),
            v4 => v4.to_string(),
        };
        for network in ["short", "long"] {
            for at in [true, false].map(|is_v4| address(network, is_v4)) {
                let fetch = format!("busybox wget -q -O - http://{at}/data | sha256sum");
                assert_eq!(place.within(name, &fetch), digest, "{name} from {at}");
            }
        }
        // As long as can be: with 20 bytes of IPv4 or 40 of IPv6 before it, and 8 of its own, it is 65,521.
        let [v4, v6] = [true, false].map(|is_v4| place.address(other, "long", is_v4));
        let ping = format!(
            "busybox ping -c 1 -W 60 -s 65493 {v4} >/dev/null && echo pinged
             busybox ping -6 -c 1 -W 60 -s 65473 {v6} >/dev/null && echo pinged\n{CUT}"
        );
        assert_eq!(place.within(name, &ping), "pinged\npinged\n0\n0\n");
    }
    for name in ["one", "two"] {
        place.says(&["rm", "-f", name]);
    }
    place.assert_nothing_left();
}
