use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::*;

/// An entry as the format's description says it is read.
#[derive(Debug, PartialEq)]
struct Entry {
    name: String,
    mode: u32,
    device: (u32, u32),
    content: Vec<u8>,
}

/// Reads one archive; gives its entries and its padded length.
fn parse(bytes: &[u8]) -> (Vec<Entry>, usize) {
    let mut entries = Vec::new();
    let mut at = 0usize;
    loop {
        assert_eq!(&bytes[at..at + 6], b"070701");
        let field = |n: usize| {
            let digits = std::str::from_utf8(&bytes[at + 6 + 8 * n..at + 14 + 8 * n]).unwrap();
            u32::from_str_radix(digits, 16).unwrap()
        };
        let name_end = at + 110 + field(11) as usize;
        let name = String::from_utf8(bytes[at + 110..name_end - 1].to_vec()).unwrap();
        assert_eq!(bytes[name_end - 1], 0);
        let content_at = name_end.next_multiple_of(4);
        let content_end = content_at + field(6) as usize;
        let content = bytes[content_at..content_end].to_vec();
        let entry = Entry { name, mode: field(1), device: (field(9), field(10)), content };
        at = content_end.next_multiple_of(4);
        if entry.name == TRAILER {
            return (entries, at.next_multiple_of(PAGE as usize));
        }
        entries.push(entry);
    }
}

fn sample() -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    writer.directory("dev", 0o755).unwrap();
    writer.char_device("dev/console", 0o600, 5, 1).unwrap();
    writer.file("init", 0o755, b"#!/bin/sh\n").unwrap();
    writer.file("empty", 0o644, b"").unwrap();
    writer.symlink("sbin", "usr/sbin").unwrap();
    writer.finish().unwrap()
}

#[test]
fn every_kind_of_entry_reads_back() {
    let archive = sample();
    let (entries, len) = parse(&archive);
    assert_eq!(len, archive.len());
    let seen: Vec<_> =
        entries.iter().map(|e| (&e.name[..], e.mode, e.device, &e.content[..])).collect();
    assert_eq!(
        seen,
        [
            ("dev", 0o040_755, (0, 0), &b""[..]),
            ("dev/console", 0o020_600, (5, 1), b""),
            ("init", 0o100_755, (0, 0), b"#!/bin/sh\n"),
            ("empty", 0o100_644, (0, 0), b""),
            ("sbin", 0o120_777, (0, 0), b"usr/sbin"),
        ]
    );
}

#[test]
fn archives_can_be_concatenated() {
    let mut out = sample();
    let first = out.len();
    let mut writer = Writer::new(&mut out);
    writer.file("extra", 0o600, &[7; 5000]).unwrap();
    writer.finish().unwrap();
    assert_eq!(parse(&out).1, first);
    let (entries, len) = parse(&out[first..]);
    assert_eq!((entries[0].content.len(), first + len), (5000, out.len()));
    assert_eq!(out.len() % 4096, 0);
}

#[test]
fn bad_entries_are_refused_by_name() {
    let mut writer = Writer::new(io::sink());
    let long = "x".repeat(4096);
    for name in ["", "/init", "a//b", "a/", "../a", "a/./b", "a\0b", "TRAILER!!!", &long] {
        let error = writer.file(name, 0o644, b"").unwrap_err();
        assert!(matches!(error, CpioError::Name { .. }), "{error}");
    }
    assert!(writer.file(&long[1..], 0o644, b"").is_ok());
    for target in ["", "a\0", &long] {
        assert!(matches!(writer.symlink("link", target), Err(CpioError::Target { .. })));
    }
    assert!(matches!(writer.directory("d", 0o10_755), Err(CpioError::Mode { .. })));
    let error = writer.file_from("f", 0o644, 1 << 32, io::empty()).unwrap_err();
    assert!(error.to_string().contains("4294967296 bytes"), "{error}");
    let error = writer.file_from("f", 0o644, 3, &b"ab"[..]).unwrap_err();
    assert!(error.to_string().contains("after 2 of 3 bytes"), "{error}");
}

/// The reference implementation agrees. Where there is none, the parser above has to do.
#[test]
fn gnu_cpio_reads_the_archive() {
    let spawn = Command::new("cpio")
        .args(["--list", "--verbose", "--numeric-uid-gid", "--quiet"])
        .env("TZ", "UTC")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut cpio) = spawn else { return };
    // It stops reading at the trailer, so the padding may meet a closed pipe.
    let _ = cpio.stdin.take().unwrap().write_all(&sample());
    let output = cpio.wait_with_output().unwrap();
    let listing = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{listing}");
    for (start, end) in [
        ("drwxr-xr-x", " dev"),
        ("crw-------", " dev/console"),
        ("-rwxr-xr-x", " init"),
        ("-rw-r--r--", " empty"),
        ("lrwxrwxrwx", " sbin -> usr/sbin"),
    ] {
        let found = listing.lines().any(|line| line.starts_with(start) && line.ends_with(end));
        assert!(found, "{start} {end} in:\n{listing}");
    }
    assert_eq!(listing.lines().count(), 5);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn files_read_back(
        files in prop::collection::vec(("[a-z]{1,30}", 0u32..0o10_000, prop::collection::vec(any::<u8>(), 0..300)), 0..20),
    ) {
        let mut writer = Writer::new(Vec::new());
        for (name, mode, content) in &files {
            writer.file(name, *mode, content).unwrap();
        }
        let archive = writer.finish().unwrap();
        let (entries, len) = parse(&archive);
        prop_assert_eq!(len, archive.len());
        let want: Vec<_> = files
            .into_iter()
            .map(|(name, mode, content)| Entry { name, mode: 0o100_000 | mode, device: (0, 0), content })
            .collect();
        prop_assert_eq!(entries, want);
    }
}
