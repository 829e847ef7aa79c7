//! What people write, and what they are told.

mod policy;

use std::net::{IpAddr, Ipv6Addr};

use proptest::prelude::*;

use super::*;

fn rule(text: &str) -> Rule {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refusal(text: &str) -> String {
    let error = text.parse::<Rule>().expect_err(text).to_string();
    assert!(!error.contains('\n'), "{error}");
    error
}

#[test]
fn rules_are_printed_as_they_are_written() {
    for text in [
        "dns",
        "10.0.0.0/8",
        "0.0.0.0/0",
        "::/0",
        "10.0.0.7",
        "10.0.0.0/8:443",
        "10.0.0.7:8000-8099/tcp",
        "10.0.0.0/8/udp",
        "fd00::/8",
        "fd00::7",
        "fd00::7/tcp",
        "[fd00::]/8:443",
        "[fd00::7]:123/udp",
        "example.org",
        "example.org:443",
        "*.example.org:1-65535/tcp",
        "db",
        "_x.xn--bcher-kva.example",
    ] {
        assert_eq!(rule(text).to_string(), text);
        let json = serde_json::to_string(&rule(text)).unwrap();
        assert_eq!(json, format!("\"{text}\""));
        assert_eq!(serde_json::from_str::<Rule>(&json).unwrap(), rule(text));
    }
}

#[test]
fn other_spellings_mean_the_same() {
    for (text, same) in [
        ("DNS", "dns"),
        ("Example.ORG.:443", "example.org:443"),
        ("10.0.0.7/32", "10.0.0.7"),
        ("[fd00::]/8", "fd00::/8"),
        ("[fd00::7]", "fd00::7"),
        ("fd00:0::7/128/udp", "fd00::7/udp"),
        ("10.0.0.7:0443", "10.0.0.7:443"),
        ("10.0.0.7:443-443", "10.0.0.7:443"),
    ] {
        assert_eq!(rule(text), rule(same));
    }
}

#[test]
fn nonsense_is_told_what_would_be_right() {
    for (text, part) in [
        ("", "an egress rule is"),
        (":443", "an egress rule is"),
        ("/tcp", "an egress rule is"),
        ("10.0.0", "four numbers"),
        ("10.0.0.256", "four numbers"),
        ("1.2.3.4.5", "four numbers"),
        ("7", "four numbers"),
        ("example.org/8", "\"example.org\" is no IPv4 address"),
        ("example.org/TCP", "\"example.org\" is no IPv4 address"),
        ("10.0.0.0/33", "\"/33\" is no length of a network: give 0 to 32"),
        ("10.0.0.0/+8", "\"/+8\""),
        ("10.0.0.0/", "\"/\""),
        ("fd00::/129", "give 0 to 128"),
        ("10.0.0.1/8", "10.0.0.1/8 has bits beyond the first 8: 10.0.0.0/8 is the network"),
        ("[fd00::1]/8:443", "fd00::/8 is the network"),
        ("fd00::1:70000", "[fd00::1]:443"),
        ("[fd00::1", "[fd00::1]:443"),
        ("[fd00::/8]:443", "[fd00::1]:443"),
        ("[fd00::]x:443", "after ]"),
        ("[10.0.0.1]:443", "is no IPv6 address"),
        ("10.0.0.1:0", "\"0\" is no port: give 1 to 65535"),
        ("10.0.0.1:", "\"\" is no port"),
        ("10.0.0.1:65536", "\"65536\" is no port"),
        ("10.0.0.1:9-8", "\"9-8\" is no port"),
        ("10.0.0.1:-8", "\"-8\" is no port"),
        ("10.0.0.1:+8", "\"+8\" is no port"),
        ("10.0.0.1:http", "\"http\" is no port"),
        ("10.0.0.1:53/udp", "no rule opens port 53"),
        ("dns:53", "dns stands alone"),
        ("dns/udp", "dns stands alone"),
        ("dns.", "dns stands alone"),
        ("DNS.:443", "dns stands alone"),
        ("*", "is no name"),
        ("*.", "is no name"),
        ("*.*.org", "is no name"),
        ("a.*.org", "is no name"),
        ("a..org", "is no name"),
        (".org", "is no name"),
        ("a b", "is no name"),
        ("b\u{fc}cher.example", "is no name"),
        ("a\nb", "\"a\\nb\" is no name"),
        ("https://example.org", "is no port"),
    ] {
        assert!(refusal(text).contains(part), "{text}: {}", refusal(text));
    }
    assert!(refusal(&"a".repeat(64)).contains("is no name"));
    assert!(refusal(&["a".repeat(63).as_str(); 4].join(".")).contains("is no name"));
}

#[test]
fn a_domain_is_compared_label_by_label() {
    let matches = |text: &str, labels: &[&str]| {
        Domain::parse(text).unwrap().matches(labels.iter().map(|label| label.as_bytes()))
    };
    assert!(matches("example.org", &["Example", "ORG"]));
    assert!(matches("*.example.org", &["a", "b", "example", "org"]));
    assert!(!matches("*.example.org", &["example", "org"]));
    assert!(!matches("example.org", &["a", "example", "org"]));
    assert!(!matches("example.org", &["org"]));
    assert!(!matches("example.org", &[]));
    // What a comparison of texts would take for the same.
    assert!(!matches("example.org", &["example.org"]));
    assert!(!matches("*.example.org", &["a.example", "org"]));
    assert!(!matches("*.example.org", &["badexample", "org"]));
}

fn any_service() -> impl Strategy<Value = Service> {
    let protocol = prop_oneof![Just(None), Just(Some(Protocol::Tcp)), Just(Some(Protocol::Udp))];
    let ports = prop::option::of((1..=u16::MAX, 1..=u16::MAX))
        .prop_map(|ports| ports.map(|(a, b)| (a.min(b), a.max(b))))
        .prop_filter("no rule's", |ports| *ports != Some((DNS_PORT, DNS_PORT)));
    (protocol, ports).prop_map(|(protocol, ports)| Service { protocol, ports })
}

/// Bits, and how many of them count.
fn any_network() -> impl Strategy<Value = Network> {
    let v4 = (any::<u32>(), 0..=32_u8).prop_map(|(bits, prefix)| {
        let keep = !(u64::from(u32::MAX) >> prefix) as u32;
        Network::new(IpAddr::V4((bits & keep).into()), prefix).unwrap()
    });
    let v6 = (any::<u128>(), 0..=128_u8).prop_map(|(bits, prefix)| {
        let keep = if prefix == 128 { u128::MAX } else { !(u128::MAX >> prefix) };
        Network::new(IpAddr::V6(Ipv6Addr::from(bits & keep)), prefix).unwrap()
    });
    prop_oneof![v4, v6]
}

fn any_rule() -> impl Strategy<Value = Rule> {
    let domain = r"(\*\.)?([a-z0-9_-]{1,12}\.){0,4}[a-z_-][a-z0-9_-]{0,11}"
        .prop_filter_map("dns is a word of its own", |text| {
            (text != "dns").then(|| Domain::parse(&text)).flatten()
        });
    prop_oneof![
        1 => Just(Rule::Dns),
        4 => (any_network(), any_service()).prop_map(|(network, service)| Rule::Network(network, service)),
        4 => (domain, any_service()).prop_map(|(domain, service)| Rule::Domain(domain, service)),
    ]
}

proptest! {
    #[test]
    fn every_rule_is_read_as_it_was_printed(rule in any_rule()) {
        prop_assert_eq!(rule.to_string().parse::<Rule>(), Ok(rule));
    }

    #[test]
    fn any_text_is_a_rule_that_prints_itself_or_one_line(text in r"[\[\]a-z0-9:./*-]{0,20}|\PC{0,40}") {
        match text.parse::<Rule>() {
            Ok(rule) => prop_assert_eq!(rule.to_string().parse::<Rule>(), Ok(rule)),
            Err(error) => prop_assert!(!error.to_string().contains('\n')),
        }
    }

    #[test]
    fn a_network_has_the_addresses_that_share_its_bits(network in any_network(), flip in 0..128_u8) {
        let text = network.to_string();
        let (_, prefix) = text.split_once('/').unwrap_or(("", if network.first().is_ipv4() { "32" } else { "128" }));
        let prefix: u8 = prefix.parse().unwrap();
        prop_assert!(network.contains(network.first()));
        // One other bit: inside exactly if it is not one of those that count.
        let (other, bit) = match network.first() {
            IpAddr::V4(address) => (IpAddr::V4((u32::from(address) ^ (1 << (31 - flip % 32))).into()), flip % 32),
            IpAddr::V6(address) => (IpAddr::V6((u128::from(address) ^ (1 << (127 - flip))).into()), flip),
        };
        prop_assert_eq!(network.contains(other), bit >= prefix);
    }
}
