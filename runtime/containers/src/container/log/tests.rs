use std::fs;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::container::LogOptions;

const ROOM: LogOptions = LogOptions { max_size: 1 << 30, max_file: 2 };

fn read(path: &Path, from: From) -> Vec<Entry> {
    let mut reader = Reader::open(path, from).unwrap();
    std::iter::from_fn(|| reader.entry().unwrap()).collect()
}

fn texts(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.log.as_str()).collect()
}

#[test]
fn entries_are_dockers() {
    let work = tempfile::tempdir().unwrap();
    let path = work.path().join("log.json");
    assert!(read(&path, From::Start).is_empty());
    let mut writer = Writer::open(&path, ROOM).unwrap();
    writer.write(Stream::Stdout, b"one\ntw").unwrap();
    writer.write(Stream::Stderr, b"\x1b\xff\n").unwrap();
    writer.write(Stream::Stdout, b"o\nthree").unwrap();
    writer.end(Stream::Stdout).unwrap();
    writer.end(Stream::Stderr).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let first = text.lines().next().unwrap();
    assert!(first.starts_with(r#"{"log":"one\n","stream":"stdout","time":"20"#), "{first}");
    assert!(first.ends_with(r#"Z"}"#), "{first}");
    let entries = read(&path, From::Start);
    assert_eq!(texts(&entries), ["one\n", "\u{1b}\u{fffd}\n", "two\n", "three"]);
    assert_eq!(entries[1].stream, Stream::Stderr);
    assert_eq!(texts(&read(&path, From::Tail(2))), ["two\n", "three"]);
    assert!(read(&path, From::Tail(0)).is_empty());
    assert_eq!(read(&path, From::Tail(100)).len(), 4);
}

#[test]
fn a_reader_follows_through_rotation() {
    let work = tempfile::tempdir().unwrap();
    let path = work.path().join("log.json");
    let options = LogOptions { max_size: 300, max_file: 3 };
    let mut reader = Reader::open(&path, From::Start).unwrap();
    let mut writer = Writer::open(&path, options).unwrap();
    for number in 0..100 {
        let line = format!("{number}\n");
        writer.write(Stream::Stdout, line.as_bytes()).unwrap();
        assert_eq!(reader.entry().unwrap().unwrap().log, line);
        assert!(reader.entry().unwrap().is_none());
    }
    // Whoever comes late finds the newest, in order, in no more files than are allowed.
    let late = read(&path, From::Start);
    let expected: Vec<String> =
        (100 - late.len()..100).map(|number| format!("{number}\n")).collect();
    assert_eq!(texts(&late), expected);
    assert!(late.len() >= 3 && fs::read_dir(work.path()).unwrap().count() == 3);
    assert_eq!(texts(&read(&path, From::Tail(5))), expected[expected.len() - 5..]);
    // Three rotations later a sleeper goes on with the oldest that there is.
    for number in 100..200 {
        writer.write(Stream::Stdout, format!("{number}\n").as_bytes()).unwrap();
    }
    let rest: Vec<Entry> = std::iter::from_fn(|| reader.entry().unwrap()).collect();
    assert_eq!(rest, read(&path, From::Start));
}

#[test]
fn what_is_no_entry_is_left_out() {
    let work = tempfile::tempdir().unwrap();
    let path = work.path().join("log.json");
    let long = [&vec![b'x'; 200_000][..], b"{\"log\":\"no\",\"stream\":\"stdout\",\"time\":\"\"}"]
        .concat();
    for wrong in [&b"no JSON"[..], &long, b"\0\xff\n\n{}", b"{\"log\":\"torn\",\"str"] {
        fs::write(&path, wrong).unwrap();
        assert_eq!(read(&path, From::Start), []);
        let mut reader = Reader::open(&path, From::Start).unwrap();
        assert_eq!(reader.entry().unwrap(), None);
        // What is said after that is found, also by who reads already.
        let mut writer = Writer::open(&path, ROOM).unwrap();
        writer.write(Stream::Stdout, b"one\ntwo\n").unwrap();
        assert_eq!(reader.entry().unwrap().unwrap().log, "one\n");
        assert_eq!(texts(&read(&path, From::Start)), ["one\n", "two\n"]);
        assert_eq!(texts(&read(&path, From::Tail(1))), ["two\n"]);
    }
}

#[test]
fn a_reader_follows_a_log_of_one_file() {
    let work = tempfile::tempdir().unwrap();
    let path = work.path().join("log.json");
    let mut writer = Writer::open(&path, LogOptions { max_size: 100, max_file: 1 }).unwrap();
    writer.write(Stream::Stdout, &[b'x'; 5000]).unwrap();
    writer.end(Stream::Stdout).unwrap();
    let mut reader = Reader::open(&path, From::Tail(0)).unwrap();
    assert_eq!(reader.entry().unwrap(), None);
    for number in 0..5 {
        let line = format!("{number}\n");
        writer.write(Stream::Stdout, line.as_bytes()).unwrap();
        assert_eq!(reader.entry().unwrap().unwrap().log, line);
    }
    assert_eq!(texts(&read(&path, From::Start)), ["4\n"]);
    assert_eq!(fs::read_dir(work.path()).unwrap().count(), 1);
}

#[test]
fn nothing_is_missed_while_it_is_written_and_rotated() {
    const LINES: usize = 3000;
    let work = tempfile::tempdir().unwrap();
    let path = work.path().join("log.json");
    let options = LogOptions { max_size: 3000, max_file: 200 };
    let mut writer = Writer::open(&path, options).unwrap();
    let mut reader = Reader::open(&path, From::Start).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for number in 0..LINES {
                writer.write(Stream::Stdout, format!("{number}\n").as_bytes()).unwrap();
            }
        });
        let start = Instant::now();
        let mut next = 0;
        while next < LINES {
            assert!(start.elapsed() < Duration::from_secs(60), "line {next} never came");
            if let Some(entry) = reader.entry().unwrap() {
                assert_eq!(entry.log, format!("{next}\n"));
                next += 1;
            }
        }
    });
    assert_eq!(reader.entry().unwrap(), None);
}

proptest! {
    #[test]
    fn what_is_said_is_read_however_it_is_cut(
        lines in prop::collection::vec("[ -~é€\u{1f600}\n]{0,40}|x{16380,16400}|é{8190,8200}", 0..8),
        cuts in prop::collection::vec(1..20_000usize, 1..8),
        max_size in 1..100_000u64,
    ) {
        let said = lines.join("\n");
        let work = tempfile::tempdir().unwrap();
        let path = work.path().join("log.json");
        let mut writer = Writer::open(&path, LogOptions { max_size, max_file: 900 }).unwrap();
        let mut rest = said.as_bytes();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (now, later) = rest.split_at(rest.len().min(*cut));
            writer.write(Stream::Stdout, now).unwrap();
            rest = later;
        }
        writer.end(Stream::Stdout).unwrap();
        let entries = read(&path, From::Start);
        prop_assert_eq!(texts(&entries).concat(), said);
        for entry in &entries {
            prop_assert!(entry.log.len() <= MAX_TEXT && !entry.log.is_empty());
            prop_assert_eq!(entry.log.trim_end_matches('\n').contains('\n'), false);
        }
        for count in [1, entries.len() as u64 / 2] {
            let tail = read(&path, From::Tail(count));
            prop_assert_eq!(&tail[..], &entries[entries.len() - count.min(entries.len() as u64) as usize..]);
        }
    }
}
