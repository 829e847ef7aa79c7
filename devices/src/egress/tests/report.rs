//! What the report tells, and that nothing makes it long.

use super::frames::{A, Datagram, MAC, ROUTER, ethernet, question};
use super::*;
use egress_rules::{Destination, REPORTED, Report};

#[test]
fn the_report_counts_what_was_dropped_to_where() {
    let mut filter = filter(&["example.org:443"]);
    for _ in 0..3 {
        assert_eq!(connects(&mut filter, "8.8.8.8", 443, 1), Err(Reason::Rule));
    }
    assert_eq!(connects(&mut filter, "2001:db8::1", 80, 1), Err(Reason::Rule));
    let other = ethernet(MAC, ROUTER, 0x88cc, &[0; 50]);
    assert_eq!(sent(&mut filter, &other, 1), Err(Reason::Ethertype));
    let mut gre = frames::syn("8.8.8.8", 443);
    gre[23] = 47;
    assert_eq!(sent(&mut filter, &gre, 1), Err(Reason::Protocol));
    let refused = Datagram::to_resolver(&question(1, "other.example", A)).frame();
    assert_eq!(sent(&mut filter, &refused, 1), Err(Reason::Name));
    let json = serde_json::to_value(filter.report()).unwrap();
    let expected = serde_json::json!({
        "dropped": 7,
        "destinations": [
            {"protocol": "udp", "address": "10.0.2.3", "port": 53, "count": 1, "reason": "name"},
            {"protocol": "ip 47", "address": "8.8.8.8", "count": 1, "reason": "protocol"},
            {"protocol": "ethertype 0x88cc", "count": 1, "reason": "ethertype"},
            {"protocol": "tcp", "address": "2001:db8::1", "port": 80, "count": 1, "reason": "rule"},
            {"protocol": "tcp", "address": "8.8.8.8", "port": 443, "count": 3, "reason": "rule"},
        ],
        "names": [{"name": "other.example", "count": 1}],
    });
    assert_eq!(json, expected);
    assert_eq!(serde_json::from_value::<Report>(json).unwrap(), filter.report());
}

#[test]
fn what_passes_is_not_in_the_report() {
    let mut filter = filter(&["10.9.0.0/16"]);
    assert_eq!(connects(&mut filter, "10.9.0.1", 443, 1), Ok(()));
    assert_eq!(filter.report(), Report::default());
}

#[test]
fn no_guest_makes_a_report_long() {
    let mut filter = filter(&["example.org"]);
    for number in 0..2_000_u16 {
        assert_eq!(connects(&mut filter, "8.8.8.8", 1_000 + number, 1), Err(Reason::Rule));
        let name = format!("secret-{number}.evil.example");
        let frame = Datagram::to_resolver(&question(number, &name, A)).frame();
        assert_eq!(sent(&mut filter, &frame, 1), Err(Reason::Name));
    }
    let report = filter.report();
    assert_eq!(report.dropped, 4_000);
    assert_eq!((report.destinations.len(), report.names.len()), (REPORTED, REPORTED));
    // One of them all the time, and so never forgotten.
    let resolver = |it: &&Destination| it.port == Some(53);
    assert_eq!(report.destinations.iter().find(resolver).map(|it| it.count), Some(2_000));
    assert_eq!(report.names[0].name, "secret-1999.evil.example");
}
