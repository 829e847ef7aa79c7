//! What a container says, to those who read it, and to those who don't.

use std::fs::File;
use std::io::Read;
use std::thread;

use super::*;
use crate::container::LogOptions;
use crate::container::log::{From, Reader as LogReader};

struct Place {
    folder: tempfile::TempDir,
    output: Arc<Output>,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = log::Writer::open(&folder.path().join("log"), LogOptions::default()).unwrap();
        Self { folder, output: Arc::new(Output::new(log).unwrap()) }
    }

    /// Somebody who is attached; his ends.
    fn attach(&self, owner: bool) -> [File; 2] {
        let pipe = || rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
        let ((stdout, to_stdout), (stderr, to_stderr)) = (pipe(), pipe());
        self.output.attach(to_stdout, to_stderr, owner);
        [stdout.into(), stderr.into()]
    }

    /// What the log holds.
    fn log(&self) -> Vec<(Stream, String)> {
        let mut reader = LogReader::open(&self.folder.path().join("log"), From::Start).unwrap();
        let mut all = Vec::new();
        while let Some(entry) = reader.entry().unwrap() {
            all.push((entry.stream, entry.log));
        }
        all
    }
}

fn all(file: &mut File) -> String {
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn all_see_it_and_the_log_has_the_last_line_too() {
    let place = Place::new();
    let [mut stdout, mut stderr] = place.attach(false);
    let ([mut out, mut err], ended) = place.output.open();
    out.take(b"one\ntw").unwrap();
    err.take(b"err\n").unwrap();
    out.take(b"o").unwrap();
    drop((out, err));
    ended.wait();
    let said = |stream, text: &str| (stream, text.to_owned());
    let expected =
        [said(Stream::Stdout, "one\n"), said(Stream::Stderr, "err\n"), said(Stream::Stdout, "two")];
    assert_eq!(place.log(), expected);
    place.output.detach_all();
    assert_eq!((all(&mut stdout), all(&mut stderr)), ("one\ntwo".into(), "err\n".into()));
}

/// More than a pipe holds.
const MUCH: usize = 1 << 20;

#[test]
fn who_does_not_read_makes_the_container_wait_until_it_is_abandoned() {
    let place = Place::new();
    let [stdout, _stderr] = place.attach(false);
    let ([mut out, err], ended) = place.output.open();
    drop(err);
    let saying = thread::spawn(move || out.take(&vec![b'x'; MUCH]).map(|()| drop(out)));
    while rustix::io::ioctl_fionread(&stdout).unwrap() == 0 {
        thread::yield_now();
    }
    assert!(!saying.is_finished(), "nobody has taken it");
    place.output.abandon();
    saying.join().unwrap().unwrap();
    ended.wait();
    let logged: usize = place.log().iter().map(|(_, text)| text.len()).sum();
    assert_eq!(logged, MUCH);
}

#[test]
fn the_container_learns_that_its_owner_has_left_but_of_nobody_else() {
    let place = Place::new();
    let ([mut out, mut err], _ended) = place.output.open();
    drop(place.attach(false));
    out.take(b"1\n").unwrap();
    let [stdout, mut stderr] = place.attach(true);
    drop(stdout);
    assert!(out.take(b"2\n").is_err());
    // Of one stream, not of the other; over restarts he stays the owner, and the log has it all.
    err.take(b"3\n").unwrap();
    place.output.detach_all();
    err.take(b"4\n").unwrap();
    drop((out, err));
    assert_eq!(place.log().len(), 4);
    drop(place);
    assert_eq!(all(&mut stderr), "3\n4\n");
}
