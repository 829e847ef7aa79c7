//! What is read as a snapshot, and what is not.

use devices::Device;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::native::{Uart, state};

/// A machine without anything.
fn sample() -> Snapshot {
    let mut value = state::sample();
    value["fixed"] = fixed();
    value["devices"] = json!([{ "name": "entropy", "state": { "any": [1, 2] } }]);
    serde_json::from_value(value).unwrap()
}

/// The fixed devices after power-on.
fn fixed() -> Value {
    let line = || Box::new(Silent);
    let clock = native_clock();
    let uart = Uart::new(Box::new(std::io::sink()), line());
    json!({ "uart": uart.save(), "clock": clock.save(), "others": state::others_after_power_on() })
}

fn native_clock() -> crate::native::Clock {
    crate::native::Clock::new(Box::new(Epoch), Box::new(Silent))
}

struct Silent;

impl devices::Interrupt for Silent {
    fn raise(&self) {}
}

struct Epoch;

impl devices::fixed::clock::Clock for Epoch {
    fn since_epoch(&self) -> std::time::Duration {
        std::time::Duration::ZERO
    }
}

#[test]
fn what_is_written_is_read() {
    let file = tempfile::tempfile().unwrap();
    sample().write(&file).unwrap();
    // Wherever its owner has read to.
    assert_eq!(Snapshot::read(&file).unwrap(), sample());
    assert_eq!(Snapshot::read(&file).unwrap(), sample());
}

#[test]
fn what_is_no_snapshot_is_refused_in_one_line() {
    let good = sample().encode().unwrap();
    let with = |at: usize, bytes: &[u8]| {
        let mut changed = good.clone();
        changed[at..at + bytes.len()].copy_from_slice(bytes);
        changed
    };
    let longer = [&good[..], b" "].concat();
    for (bytes, words) in [
        (vec![], "is no snapshot"),
        (vec![0; 100], "is no snapshot"),
        (good[..31].to_vec(), "is no snapshot"),
        (with(8, &[2]), "version 2: expected 1"),
        (with(12, &[1]), "version 1: expected 1"),
        (with(16, &[0xFF; 8]), "is damaged: it should have 18446744073709551615 bytes"),
        (longer, "bytes behind its header, and has"),
        (with(24, &[0; 8]), "checksum"),
        (with(good.len() - 1, b" "), "checksum"),
    ] {
        let error = Snapshot::decode(&bytes).unwrap_err().to_string();
        assert!(error.contains(words) && !error.contains('\n'), "{error}");
    }
}

/// A file of this content.
fn with_content(content: &Value) -> Vec<u8> {
    with_header(content.to_string().as_bytes())
}

#[test]
fn a_field_too_many_or_too_few_is_refused() {
    let value = serde_json::to_value(sample()).unwrap();
    assert_eq!(Snapshot::decode(&with_content(&value)).unwrap(), sample());
    for field in ["host", "memory", "vm", "vcpus", "fixed", "devices"] {
        let mut less = value.clone();
        less.as_object_mut().unwrap().remove(field);
        let error = Snapshot::decode(&with_content(&less)).unwrap_err().to_string();
        assert!(error.contains(&format!("missing field `{field}`")), "{error}");
        let mut other = value.clone();
        other[field] = json!("x");
        assert!(Snapshot::decode(&with_content(&other)).is_err(), "{field}");
        let mut more = value.clone();
        if let Some(object) = more[field].as_object_mut() {
            object.insert("more".to_owned(), json!(1));
            assert!(Snapshot::decode(&with_content(&more)).is_err(), "{field}");
        }
    }
}

/// Words of a file come to a person's terminal.
#[test]
fn words_of_a_file_are_cut_short_and_escaped() {
    let mut value = serde_json::to_value(sample()).unwrap();
    value["host"]["\u{1b}[31m\n"] = json!(1);
    let error = Snapshot::decode(&with_content(&value)).unwrap_err().to_string();
    assert!(error.contains(r"unknown field `\u{1b}[31m\n`"), "{error}");
    value["host"] = json!({ "x".repeat(10_000): 1 });
    let error = Snapshot::decode(&with_content(&value)).unwrap_err().to_string();
    assert!(error.len() < 300, "{}", error.len());
    let error = RestoreError::unless_same("devices", "\u{7}", "").unwrap_err().to_string();
    assert!(error.contains(r"was \u{7} when"), "{error}");
}

#[test]
fn a_file_that_never_ends_is_not_read() {
    let file = tempfile::tempfile().unwrap();
    file.set_len(MAX_LENGTH + 1).unwrap();
    let error = Snapshot::read(&file).unwrap_err().to_string();
    assert_eq!(error, "16777217 bytes: expected at most 16777216");
    let zeros = std::fs::File::open("/dev/zero").unwrap();
    assert!(Snapshot::read(&zeros).unwrap_err().to_string().contains("at most"));
}

proptest! {
    #[test]
    fn a_file_that_was_cut_or_changed_is_refused(cut: u16, at: u16, change in 1..=u8::MAX) {
        let good = sample().encode().unwrap();
        prop_assert!(Snapshot::decode(&good[..usize::from(cut) % good.len()]).is_err());
        let mut changed = good.clone();
        changed[usize::from(at) % good.len()] ^= change;
        prop_assert!(Snapshot::decode(&changed).is_err());
    }

    #[test]
    fn no_bytes_are_too_much(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Snapshot::decode(&bytes).is_err());
    }
}
