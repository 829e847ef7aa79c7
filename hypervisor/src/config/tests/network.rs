//! `network-interfaces`.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use devices::virtio::net::Link;
use devices::virtio::rate::{Limit, RateLimits};

use super::*;

fn interfaces(list: &str) -> Result<Config, String> {
    with(&format!(r#""network-interfaces": [{list}]"#))
}

/// An interface with these fields besides its name.
fn interface(fields: &str) -> Result<Config, String> {
    interfaces(&format!(r#"{{"iface_id": "eth0", {fields}}}"#))
}

#[test]
fn firecrackers_interfaces_mean_the_same_here() {
    let config = interfaces(
        r#"{"iface_id": "eth0", "guest_mac": "06:00:AC:10:00:02", "host_dev_name": "tap0", "mtu": 1400,
            "rx_rate_limiter": {
                "bandwidth": {"size": 1024, "one_time_burst": 1048576, "refill_time": 1000}},
            "tx_rate_limiter": {"bandwidth": null, "ops": {"size": 5, "refill_time": 200}}},
           {"iface_id": "eth1", "fd": 7},
           {"iface_id": "eth2", "socket": "passt.sock", "rx_rate_limiter": null}"#,
    )
    .unwrap();
    let limit = |size, one_time_burst, millis| {
        Some(Limit { size, one_time_burst, refill_time: Duration::from_millis(millis) })
    };
    let link = Link {
        mac: Some([6, 0, 0xac, 0x10, 0, 2]),
        mtu: Some(1400),
        rx: RateLimits { bandwidth: limit(1024, 1 << 20, 1000), ops: None },
        tx: RateLimits { bandwidth: None, ops: limit(5, 0, 200) },
    };
    assert_eq!(config.network[0].link, link);
    assert_eq!(config.network[2].link, Link::default());
    let sources: Vec<_> = config.network.iter().map(|interface| &interface.source).collect();
    let expected = [
        InterfaceSource::Tap("tap0".to_owned()),
        InterfaceSource::Descriptor(7),
        InterfaceSource::Socket("passt.sock".into()),
    ];
    assert_eq!(sources, expected.iter().collect::<Vec<_>>());
    assert_eq!(config.descriptors(), [7]);
}

#[test]
fn what_a_guest_may_reach_is_read() {
    let config = interface(
        r#""fd": 3, "report_fd": 4, "guest_mac": "06:00:ac:10:00:02", "egress": {
            "ipv4": ["172.16.0.2"], "ipv6": ["fd00::2"], "resolvers": ["172.16.0.1", "fd00::1"],
            "rules": ["10.0.0.0/8:443", "*.example.org", "dns", "169.254.169.254"], "link_local": true}"#,
    )
    .unwrap();
    let policy = config.network[0].egress.clone().unwrap();
    assert_eq!(policy.mac, [6, 0, 0xac, 0x10, 0, 2]);
    assert_eq!(policy.ipv4, ["172.16.0.2".parse::<Ipv4Addr>().unwrap()]);
    assert_eq!(policy.ipv6, ["fd00::2".parse::<Ipv6Addr>().unwrap()]);
    let resolvers = policy.resolvers.iter().map(|it| it.to_string());
    assert_eq!(resolvers.collect::<Vec<_>>(), ["172.16.0.1", "fd00::1"]);
    let rules = policy.rules.iter().map(|rule| rule.to_string());
    let expected = ["10.0.0.0/8:443", "*.example.org", "dns", "169.254.169.254"];
    assert_eq!(rules.collect::<Vec<_>>(), expected);
    assert!(policy.link_local);
    assert_eq!(config.descriptors(), [3, 4]);
    let nothing = interface(r#""fd": 3, "guest_mac": "06:00:ac:10:00:02", "egress": {}"#).unwrap();
    assert_eq!(nothing.network[0].egress.as_ref().map(|policy| policy.rules.len()), Some(0));
    assert_eq!(interface(r#""fd": 3, "egress": null"#).unwrap().network[0].egress, None);
    // As `bulkhead` writes it.
    let written = serde_json::to_string(&policy).unwrap();
    let read =
        interface(&format!(r#""fd": 3, "guest_mac": "06:00:ac:10:00:02", "egress": {written}"#));
    assert_eq!(read.unwrap().network[0].egress, Some(policy));
}

#[test]
fn mistakes_in_what_a_guest_may_reach_are_named_with_field_value_and_remedy() {
    let egress = |egress: &str| {
        interface(&format!(r#""fd": 3, "guest_mac": "06:00:ac:10:00:02", "egress": {egress}"#))
    };
    let rules = |rules: &str| egress(&format!(r#"{{"rules": {rules}}}"#));
    let many = vec!["\"10.0.0.1\""; 257].join(",");
    for (result, message) in [
        (egress("[]"), ".egress: a list: expected an object {…}"),
        (
            egress(r#"{"rule": []}"#),
            ".egress.rule: unknown field, expected one of `ipv4`, `ipv6`, `resolvers`, `rules`, `link_local`",
        ),
        (
            egress(r#"{"mac": []}"#),
            ".egress.mac: unknown field, expected one of `ipv4`, `ipv6`, `resolvers`, `rules`, `link_local`",
        ),
        (
            interface(r#""fd": 3, "egress": {}"#),
            "[0].guest_mac: missing field, expected the one address that `egress` is to let through",
        ),
        (egress(r#"{"ipv4": "10.0.0.2"}"#), ".egress.ipv4: \"10.0.0.2\": expected a list […]"),
        (egress(r#"{"ipv4": [7]}"#), ".egress.ipv4[0]: 7: expected a string"),
        (
            egress(r#"{"ipv4": ["10.0.0.2", "fd00::2"]}"#),
            ".egress.ipv4[1]: \"fd00::2\": expected an IPv4 address",
        ),
        (
            egress(r#"{"ipv6": ["10.0.0.2"]}"#),
            ".egress.ipv6[0]: \"10.0.0.2\": expected an IPv6 address",
        ),
        (
            egress(r#"{"resolvers": ["10.0.0.300"]}"#),
            ".egress.resolvers[0]: \"10.0.0.300\": expected an IP address",
        ),
        (
            egress(r#"{"ipv4": ["127.0.0.1"]}"#),
            ".egress.ipv4[0]: 127.0.0.1 is the address of no single host on a network",
        ),
        (egress(r#"{"link_local": "yes"}"#), ".egress.link_local: \"yes\": expected true or false"),
        (rules("{}"), ".egress.rules: an object: expected a list […]"),
        (rules("[null]"), ".egress.rules[0]: null: expected a string"),
        (
            rules(r#"["10.0.0.1", "10.0.0.0/33"]"#),
            ".egress.rules[1]: \"10.0.0.0/33\": \"/33\" is no length of a network: give 0 to 32",
        ),
        (
            rules(r#"["10.0.0.1:53"]"#),
            ".egress.rules[0]: \"10.0.0.1:53\": no rule opens port 53: give dns, or names, to ask the network's resolvers",
        ),
        (
            rules(r#"["dns"]"#),
            ".egress.rules[0]: dns needs a resolver to ask, and resolvers is empty",
        ),
        (
            rules(r#"["169.254.169.254"]"#),
            ".egress.rules[0]: 169.254.169.254 is link-local, which takes link_local to be true as well",
        ),
        (rules(&format!("[{many}]")), ".egress.rules: 257 are too many: give 256 at most"),
        (
            interface(r#""fd": 3, "report_fd": 3"#),
            "[0].report_fd: 3: expected a descriptor that is named only once",
        ),
        (interface(r#""fd": 3, "report_fd": 2"#), "[0].report_fd: 2: expected 3 to 2147483647"),
        (
            interface(r#""fd": 3, "report_fd": "4""#),
            "[0].report_fd: \"4\": expected a whole number",
        ),
        (
            interfaces(r#"{"iface_id": "a", "fd": 3, "report_fd": 4}, {"iface_id": "b", "fd": 4}"#),
            "[1].fd: 4: expected a descriptor that no other interface has",
        ),
    ] {
        let error = result.unwrap_err();
        assert!(error.ends_with(message), "{error}");
        assert!(error.starts_with("network-interfaces") && !error.contains('\n'), "{error}");
    }
}

#[test]
fn mistakes_in_interfaces_are_named_with_field_value_and_remedy() {
    let long = "x".repeat(16);
    let name = |name: &str| interface(&format!(r#""host_dev_name": "{name}""#));
    let mac = |mac: &str| interface(&format!(r#""fd": 3, "guest_mac": "{mac}""#));
    let no_mac = "expected the address of one card, like 06:00:ac:10:00:02";
    let limiter = |limiter: &str| interface(&format!(r#""fd": 3, "rx_rate_limiter": {limiter}"#));
    let twice = |fields: &str| {
        interfaces(&format!(r#"{{"iface_id": "a", {fields}}}, {{"iface_id": "b", {fields}}}"#))
    };
    for (result, message) in [
        (with(r#""network-interfaces": {}"#), "network-interfaces: an object: expected a list […]"),
        (interfaces("{}"), "[0].iface_id: missing field, expected a string"),
        (
            interfaces(r#"{"iface_id": "eth-0", "fd": 3}"#),
            "[0].iface_id: \"eth-0\": expected letters, digits and `_`",
        ),
        (
            interfaces(r#"{"iface_id": "a", "fd": 3}, {"iface_id": "a", "fd": 4}"#),
            "[1].iface_id: \"a\": expected a name that no other interface has",
        ),
        (
            interface(r#""mtu": 1500"#),
            "[0].host_dev_name: missing field, expected this, `fd` or `socket`",
        ),
        (
            interface(r#""fd": 3, "host_dev_name": "tap0""#),
            "[0].host_dev_name: expected one of this, `fd` and `socket`, not several",
        ),
        (
            interface(r#""fd": 3, "socket": "s""#),
            "[0].fd: expected either this or `socket`, not both",
        ),
        (
            interface(r#""socket": """#),
            "[0].socket: \"\": expected the path of a Unix stream socket",
        ),
        (interface(r#""fd": 2"#), "[0].fd: 2: expected 3 to 2147483647"),
        (interface(r#""fd": 4294967299"#), "[0].fd: 4294967299: expected 3 to 2147483647"),
        (interface(r#""fd": -1"#), "[0].fd: -1: expected a whole number"),
        (twice(r#""fd": 3"#), "[1].fd: 3: expected a descriptor that no other interface has"),
        (
            twice(r#""host_dev_name": "tap0""#),
            "[1].host_dev_name: expected a TAP that no other interface has",
        ),
        (name(""), "[0].host_dev_name: \"\": expected the name of a TAP, 1 to 15 bytes"),
        (name("tap%d"), "[0].host_dev_name: \"tap%d\": expected the name of a TAP, 1 to 15 bytes"),
        (
            name(&long),
            "[0].host_dev_name: \"xxxxxxxxxxxxxxxx\": expected the name of a TAP, 1 to 15 bytes",
        ),
        (interface(r#""fd": 3, "mtu": 67"#), "[0].mtu: 67: expected 68 to 65535"),
        (interface(r#""fd": 3, "mtu": 65536"#), "[0].mtu: 65536: expected 68 to 65535"),
        (mac("06:00:ac:10:00"), &format!("[0].guest_mac: \"06:00:ac:10:00\": {no_mac}")),
        (mac("+6:00:ac:10:00:02"), &format!("[0].guest_mac: \"+6:00:ac:10:00:02\": {no_mac}")),
        (mac("07:00:ac:10:00:02"), &format!("[0].guest_mac: \"07:00:ac:10:00:02\": {no_mac}")),
        (mac("00:00:00:00:00:00"), &format!("[0].guest_mac: \"00:00:00:00:00:00\": {no_mac}")),
        (
            interfaces(
                r#"{"iface_id": "a", "fd": 3, "guest_mac": "06:00:ac:10:00:02"},
                   {"iface_id": "b", "fd": 4, "guest_mac": "06:00:AC:10:00:02"}"#,
            ),
            "[1].guest_mac: \"06:00:AC:10:00:02\": expected an address that no other interface has",
        ),
        (
            limiter(r#"{"bandwidth": {"size": 1}}"#),
            "[0].rx_rate_limiter.bandwidth.refill_time: missing field, expected a whole number",
        ),
        (
            limiter(r#"{"bytes": {}}"#),
            "[0].rx_rate_limiter.bytes: unknown field, expected one of `bandwidth`, `ops`",
        ),
    ] {
        let error = result.unwrap_err();
        assert!(error.ends_with(message), "{error}");
        assert!(error.starts_with("network-interfaces"), "{error}");
    }
}
