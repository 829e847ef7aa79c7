use std::fs::File;
use std::os::unix::fs::FileExt;

use proptest::prelude::*;

use super::*;
use egress_rules::{Destination, Reason, RefusedName, Report};

/// Memory in which that stands.
fn told(sequence: u64, length: u64, text: &[u8]) -> OwnedFd {
    let memory = memory().unwrap();
    let file = File::from(memory.try_clone().unwrap());
    file.write_all_at(&sequence.to_le_bytes(), 0).unwrap();
    file.write_all_at(&length.to_le_bytes(), 8).unwrap();
    file.write_all_at(text, 16).unwrap();
    memory
}

fn whole(report: &InterfaceReport) -> OwnedFd {
    let text = serde_json::to_vec(report).unwrap();
    told(2, text.len() as u64, &text)
}

fn report(destinations: usize, name: &str) -> InterfaceReport {
    let destination = Destination {
        protocol: "tcp".into(),
        address: Some([10, 0, 0, 1].into()),
        port: Some(80),
        count: 3,
        reason: Reason::Rule,
    };
    let names = vec![RefusedName { name: name.into(), count: 1 }];
    let destinations = vec![destination; destinations];
    let egress = Some(Report { dropped: 4, destinations, names });
    let traffic = |number: u64| Traffic { bytes: 100 * number, packets: number, dropped: 1 };
    InterfaceReport { counters: Counters { rx: traffic(1), tx: traffic(2) }, egress }
}

#[test]
fn what_an_interface_tells_is_read() {
    let expected = report(2, "evil.example");
    assert_eq!(read(&whole(&expected)), Ok(expected.clone()));
    assert_eq!(read(&memory().unwrap()), Ok(InterfaceReport::default()));
    let eth = |number| (format!("eth{number}"), whole(&report(REPORTED, "a")));
    let reports = Reports(vec![eth(0), eth(1)]);
    let uses = reports.read();
    assert_eq!((uses[0].name.as_str(), uses[1].name.as_str()), ("eth0", "eth1"));
    // As much as fits into one message, whatever their number.
    for it in &uses {
        assert_eq!(it.report.egress.as_ref().unwrap().destinations.len(), REPORTED / 2);
    }
    let traffic = |number: u64| Traffic { bytes: 200 * number, packets: 2 * number, dropped: 2 };
    assert_eq!(sum(&uses), Counters { rx: traffic(1), tx: traffic(2) });
}

#[test]
fn what_a_filter_would_not_tell_is_not_believed() {
    let text = serde_json::to_vec(&report(1, "a")).unwrap();
    let length = text.len() as u64;
    for (sequence, length, text, why) in [
        (3, length, &text[..], "is never whole"),
        (2, u64::MAX, &text, "is never whole"),
        (2, PAGE_SIZE as u64, &text, "is never whole"),
        (2, length - 1, &text, "makes no sense"),
        (2, length + 1, &text, "makes no sense"),
        (2, 0, b"", "makes no sense"),
        (2, 16, b"{\"counters\": 0}  ", "makes no sense"),
    ] {
        assert_eq!(read(&told(sequence, length, text)), Err(why));
    }
    let odd = "is not what a filter tells";
    assert_eq!(read(&whole(&report(REPORTED + 1, "a"))), Err(odd));
    for name in ["a\u{1b}[2J", "a\nb", "ä", &"a".repeat(MAX_TEXT + 1)] {
        assert_eq!(read(&whole(&report(1, name))), Err(odd), "{name}");
    }
    let reports = Reports(vec![("eth0".into(), told(2, 1, b"x"))]);
    assert_eq!(reports.read()[0].report, InterfaceReport::default());
}

#[test]
fn nobody_takes_the_memory_away() {
    let memory = memory().unwrap();
    assert!(ftruncate(&memory, 0).is_err() && ftruncate(&memory, 1 << 30).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_a_report_or_is_not(text in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&told(2, text.len() as u64, &text));
    }

    #[test]
    fn a_report_that_somebody_damages_is_bounded(at in 0..300_usize, with in any::<u8>()) {
        let mut text = serde_json::to_vec(&report(1, "a.example")).unwrap();
        let at = at % text.len();
        text[at] = with;
        if let Ok(report) = parse(&text) {
            let egress = report.egress.unwrap_or_default();
            prop_assert!(egress.names.iter().all(|name| !name.name.contains(char::is_control)));
        }
    }
}
