//! Answers, right and wrong.

use proptest::prelude::*;

use super::super::super::{Attachment, Identity, Lease, Network, Range, Subnet};
use super::*;
use crate::container::tests::sample::draft;
use crate::container::{Config, Id};

fn request() -> Request {
    let range = |subnet: &str, gateway: &str| Range {
        subnet: Subnet::parse(subnet).unwrap(),
        gateway: gateway.parse().unwrap(),
    };
    let network = Network {
        id: Id::try_from("ab".repeat(32)).unwrap(),
        name: "web".to_owned(),
        created: 0,
        interface: "bh-abababababab".to_owned(),
        ranges: vec![range("10.1.0.0/24", "10.1.0.1"), range("fd00::/64", "fd00::1")],
        internal: false,
        mtu: Some(1400),
        egress: None,
        labels: BTreeMap::new(),
    };
    let addresses = ["10.1.0.2", "fd00::2"].map(|one| one.parse().unwrap()).into();
    let lease = Lease { addresses, mac: Some(MacAddress([2, 0, 0, 0, 0, 1])) };
    let aliases = ["DB.example".to_owned(), "one".to_owned()].into();
    let on = Attachment::new(&network, Identity { aliases, ..Identity::default() });
    let config = Config { id: Id::try_from("cd".repeat(32)).unwrap(), ..draft("One") };
    Request::new(&config, &[(&on, &network, &lease)], &[])
}

const RIGHT: &str = r#"{"bulkhead-abababababab":{"dns_search_domains":["dns.podman"],"dns_server_ips":["10.1.0.1","fd00::1"],
    "interfaces":{"eth0":{"mac_address":"02:00:00:00:00:01","subnets":[{"gateway":"10.1.0.1","ipnet":"10.1.0.2/24"},
    {"gateway":"fd00::1","ipnet":"fd00::2/64"}]}}}}"#;

#[test]
fn it_is_told_what_podman_tells_it() {
    let text = serde_json::to_value(request()).unwrap();
    let network = &text["networks"]["bulkhead-abababababab"];
    // Names are small, each once, and with docker's alias.
    assert_eq!(network["aliases"], serde_json::json!(["cdcdcdcdcdcd", "db.example"]));
    assert_eq!(text["container_name"], "one");
    assert_eq!(network["static_mac"], "02:00:00:00:00:01");
    let info = &text["network_info"]["bulkhead-abababababab"];
    assert_eq!(
        info["options"],
        serde_json::json!({"isolate": "true", "metric": "100", "mtu": "1400"})
    );
    assert_eq!(
        info["subnets"][0],
        serde_json::json!({"subnet": "10.1.0.0/24", "gateway": "10.1.0.1"})
    );
    // And read again as it was written.
    assert_eq!(serde_json::from_value::<Request>(text).unwrap(), request());
}

#[test]
fn an_answer_is_what_was_asked_for() {
    let known = read(&request(), RIGHT.as_bytes()).unwrap();
    assert_eq!(known.macs["bulkhead-abababababab"], MacAddress([2, 0, 0, 0, 0, 1]));
    assert_eq!(
        known.nameservers,
        ["10.1.0.1", "fd00::1"].map(|one| one.parse::<IpAddr>().unwrap())
    );
    for (from, to, message) in [
        ("bulkhead-ab", "bulkhead-ac", "other networks"),
        ("eth0", "eth1", "it has not made eth0 alone"),
        ("10.1.0.2/24", "10.1.0.3/24", "eth0 has other addresses than 10.1.0.2/24 fd00::2/64"),
        ("fd00::2/64", "fd00::2/48", "eth0 has other addresses"),
        ("02:00:00:00:00:01", "01:00:00:00:00:01", "no single card's"),
        ("\"10.1.0.1\",\"fd00::1\"", "\"8.8.8.8\"", "another resolver"),
        ("{\"bulk", "[{\"bulk", "expected"),
    ] {
        let error = read(&request(), RIGHT.replacen(from, to, 1).as_bytes()).unwrap_err();
        assert!(error.contains(message), "{from}: {error}");
    }
}

#[test]
fn its_words_are_one_line() {
    let said = br#"{"error":"netavark encountered multiple errors:\n\t- a\u001b[31m\n\t- b"}"#;
    assert_eq!(words(said, b"log"), "netavark encountered multiple errors: - a\\u{1b}[31m - b");
    assert_eq!(words(b"", b"thread 'main' panicked\n at x"), "thread 'main' panicked at x");
    assert_eq!(words(b"", b" \n"), "it does not say why");
    assert_eq!(words(&[b'x'; 4000], b"").len(), WORDS);
}

proptest! {
    #[test]
    fn nothing_it_says_does_harm(at: prop::sample::Index, bytes: Vec<u8>, cut: bool) {
        let mut text = RIGHT.as_bytes().to_vec();
        let at = at.index(text.len());
        let end = if cut { text.len() } else { at };
        text.splice(at..end, bytes);
        if let Ok(known) = read(&request(), &text) {
            prop_assert!(known.macs.len() == 1 && known.nameservers.len() <= 2);
        }
        prop_assert!(!words(&text, &text).chars().any(char::is_control));
    }
}
