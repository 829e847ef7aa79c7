//! Sessions with programs that stand for a VMM.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;

use super::*;
use crate::soak::bare::round::{Guest, Kind};

/// A folder with a program that does what `script` says.
fn place(script: &str) -> (tempfile::TempDir, Place) {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("vmm");
    // Not written here: what another test forks meanwhile would hold it open, and it could not be started (ETXTBSY).
    let write = "printf '#!/bin/sh\\n%s\\n' \"$1\" >\"$0\" && chmod +x \"$0\"";
    let mut command = Command::new("sh");
    assert!(command.args(["-c", write]).arg(&program).arg(script).status().unwrap().success());
    let place = Place::new(&program, Path::new("/no/kernel")).unwrap();
    place.prepare(1, "").unwrap();
    (folder, place)
}

fn round(reading: Reading, ask: Option<(Signal, Moment)>) -> Round {
    let (kind, guest) = (Kind::Flood, Guest::Flood(1));
    Round { kind, guest, reading, ask, typed: 0, calls: 0, ..Round::of(0) }
}

/// Status as wait(2) has it, output, and whether that is all.
fn end_of(script: &str, round: &Round) -> (i32, String, bool) {
    let (_folder, place) = place(script);
    match Session::start(round, &place).unwrap().run().unwrap() {
        End::Ended { status, output, is_whole } => {
            (status.into_raw(), String::from_utf8(output).unwrap(), is_whole)
        }
        End::Lost(threads) => panic!("{threads}"),
    }
}

#[test]
fn output_is_read_to_its_end_at_any_pace() {
    let slowly = Reading::Slowly(700, Duration::from_micros(100));
    for reading in [Reading::AtOnce, slowly] {
        let (status, output, is_whole) =
            end_of("head -c 9000 /dev/zero | tr '\\0' x; exit 3", &round(reading, None));
        assert_eq!((status, output.len(), is_whole), (3 << 8, 9000, true));
    }
}

#[test]
fn a_reader_may_leave_early_or_never_read() {
    let (_, output, is_whole) = end_of("printf 123456", &round(Reading::Closed(4), None));
    assert_eq!((&*output, is_whole), ("1234", false));
    let asked = Some((Signal::TERM, Moment::Output(Duration::ZERO)));
    let waits = "echo up; exec sleep 600";
    assert_eq!(end_of(waits, &round(Reading::Never, asked)), (15, String::new(), false));
    assert_eq!(end_of(waits, &round(Reading::AtOnce, asked)), (15, "up\n".into(), true));
}

#[test]
fn what_is_typed_comes_once_there_is_output() {
    let typed = Round { typed: 9, ..round(Reading::AtOnce, None) };
    let (status, output, _) = end_of("echo up; head -c 9", &typed);
    assert_eq!((status, &*output), (0, "up\ntyped ~ty"));
}

#[test]
fn one_that_does_not_end_is_killed_and_its_threads_are_told() {
    let (_folder, place) = place("exec sleep 600");
    let round = round(Reading::AtOnce, None);
    let session = Session::start(&round, &place).unwrap();
    let process = session.process.try_clone().unwrap();
    let End::Lost(text) = session.lose().unwrap() else { panic!("it was not lost") };
    assert!(text.contains(": state ") && text.ends_with("it has said \"\""), "{text}");
    // It is gone.
    assert!(pidfd_send_signal(&process, Signal::KILL).is_err());
}
