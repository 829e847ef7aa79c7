use std::io::{Read, Write};
use std::net::Shutdown as NetShutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;

use protocol::{ByteString, Clock, FailureKind, Process, VERSION};

use super::*;
use crate::rehearsal::{ProcessGroup, UnixHost};

/// A host that the test plays, against a real session in a thread.
struct Host {
    _folder: tempfile::TempDir,
    listener: UnixListener,
    session: JoinHandle<Result<(), SessionError>>,
}

impl Host {
    fn new(mut guest: ProcessGroup) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("v_1024");
        let listener = UnixListener::bind(&path).unwrap();
        let session = thread::spawn(move || run(&UnixHost(path), &mut guest));
        Self { _folder: folder, listener, session }
    }

    fn accept(&self) -> (Stream, UnixStream) {
        let (mut connection, _) = self.listener.accept().unwrap();
        let hello = FrameReader::default().read(&mut connection).unwrap().unwrap();
        (Hello::check(&hello).unwrap(), connection)
    }

    fn accept_control(&self) -> UnixStream {
        let (stream, connection) = self.accept();
        assert_eq!(stream, Stream::Control);
        connection
    }

    /// Up to Started.
    fn start(&self, script: &str) -> Streams {
        let mut control = self.accept_control();
        assert_eq!(read_message::<ToHost>(&mut control).unwrap(), ToHost::Ready);
        send_start(&mut control, &["sh", "-c", script]);
        let streams = [Stream::Stdin, Stream::Stdout, Stream::Stderr].map(|expected| {
            let (stream, connection) = self.accept();
            assert_eq!(stream, expected);
            connection
        });
        assert!(matches!(read_message(&mut control).unwrap(), ToHost::Started { .. }));
        let [stdin, stdout, stderr] = streams;
        Streams { control, stdin, stdout, stderr }
    }
}

struct Streams {
    control: UnixStream,
    stdin: UnixStream,
    stdout: UnixStream,
    stderr: UnixStream,
}

impl Streams {
    fn exit_status(&mut self) -> ExitStatus {
        match read_message(&mut self.control).unwrap() {
            ToHost::Exited { status } => status,
            other => panic!("{other:?} in place of Exited"),
        }
    }
}

fn send_start(control: &mut UnixStream, args: &[&str]) {
    write_message(control, &Hello::new(Stream::Control)).unwrap();
    let process = Process {
        args: args.iter().map(|&arg| arg.into()).collect(),
        env: Vec::new(),
        cwd: "/".into(),
        user: "".into(),
        hostname: "test".into(),
        read_only: false,
    };
    let clock = Clock { unix_seconds: 0, nanoseconds: 0 };
    let start = Start { process, clock, seed: ByteString::from(vec![1; 32]) };
    write_message(control, &ToGuest::Start(Box::new(start))).unwrap();
}

fn all(stream: &mut UnixStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn input_output_and_exit_status() {
    let host = Host::new(ProcessGroup::default());
    let mut streams = host.start("cat; echo err >&2; exit 7");
    streams.stdin.write_all(b"through\n").unwrap();
    streams.stdin.shutdown(NetShutdown::Write).unwrap();
    assert_eq!(all(&mut streams.stdout), "through\n");
    assert_eq!(all(&mut streams.stderr), "err\n");
    assert_eq!(streams.exit_status(), ExitStatus::Code(7));
    assert!(!host.session.is_finished(), "it waits for the host's goodbye");
    drop(streams);
    host.session.join().unwrap().unwrap();
}

#[test]
fn a_process_that_reads_nothing_ends_the_run() {
    let host = Host::new(ProcessGroup::default());
    let mut streams = host.start("exec true");
    assert_eq!(streams.exit_status(), ExitStatus::Code(0));
    // More than pipe and sockets hold: only a closed stream ends this loop.
    while streams.stdin.write(&[0; 4096]).is_ok() {}
    drop(streams);
    host.session.join().unwrap().unwrap();
}

#[test]
fn a_background_process_does_not_hold_the_end_back() {
    let host = Host::new(ProcessGroup::default());
    let mut streams = host.start("sleep 1000 & printf before");
    assert_eq!(all(&mut streams.stdout), "before");
    assert_eq!(streams.exit_status(), ExitStatus::Code(0));
    drop(streams);
    host.session.join().unwrap().unwrap();
}

#[test]
fn a_signal_reaches_the_process() {
    let host = Host::new(ProcessGroup::default());
    let mut streams =
        host.start("trap 'echo caught; exit 9' TERM; echo ready; while :; do sleep 0.02; done");
    let mut line = [0; 6];
    streams.stdout.read_exact(&mut line).unwrap();
    write_message(&mut streams.control, &ToGuest::Signal { number: 15 }).unwrap();
    assert_eq!(all(&mut streams.stdout), "caught\n");
    assert_eq!(streams.exit_status(), ExitStatus::Code(9));
}

#[test]
fn a_signal_s_death_is_told() {
    let host = Host::new(ProcessGroup::default());
    assert_eq!(host.start("kill -SEGV $$").exit_status(), ExitStatus::Signal(11));
}

#[test]
fn a_host_that_leaves_takes_the_process_along() {
    let host = Host::new(ProcessGroup::default());
    drop(host.start("exec sleep 1000"));
    assert!(matches!(
        host.session.join().unwrap(),
        Err(SessionError::Host { stream: Stream::Control, .. })
    ));
}

#[test]
fn garbage_in_place_of_a_signal_ends_the_process() {
    for garbage in ["{}", r#"{"signal":{"number":200}}"#] {
        let host = Host::new(ProcessGroup::default());
        let mut streams = host.start("exec sleep 1000");
        streams.control.write_all(&frame(garbage)).unwrap();
        assert_eq!(streams.exit_status(), ExitStatus::Signal(9));
    }
}

#[test]
fn a_command_that_is_not_there_and_a_broken_disk_are_told() {
    let failure = |guest: ProcessGroup, args: &[&str]| {
        let ready = guest.broken_disk.is_none();
        let host = Host::new(guest);
        let mut control = host.accept_control();
        if ready {
            assert_eq!(read_message::<ToHost>(&mut control).unwrap(), ToHost::Ready);
            send_start(&mut control, args);
        }
        let ToHost::StartFailed { kind, message } = read_message(&mut control).unwrap() else {
            panic!()
        };
        assert!(!host.session.is_finished());
        drop(control);
        host.session.join().unwrap().unwrap();
        (kind, message)
    };
    let (kind, message) = failure(ProcessGroup::default(), &["no-such-command"]);
    assert_eq!(kind, FailureKind::NotFound);
    assert!(message.starts_with("no-such-command: not found in PATH"), "{message}");
    assert_eq!(failure(ProcessGroup::default(), &["/etc/passwd"]).0, FailureKind::NotExecutable);
    let (kind, message) = failure(ProcessGroup::default(), &[]);
    assert!((kind, message.contains("args: empty")) == (FailureKind::Other, true), "{message}");
    let (kind, message) = failure(ProcessGroup { broken_disk: Some("no such disk") }, &[]);
    assert_eq!((kind, message.as_str()), (FailureKind::Other, "mount: no such disk"));
}

/// What the session says to a host that answers Ready with these bytes and leaves.
fn broken_off(answer: &[u8]) -> String {
    let host = Host::new(ProcessGroup::default());
    let mut control = host.accept_control();
    control.write_all(answer).unwrap();
    control.shutdown(NetShutdown::Write).unwrap();
    host.session.join().unwrap().unwrap_err().to_string()
}

fn frame(json: &str) -> Vec<u8> {
    [&(json.len() as u32).to_le_bytes(), json.as_bytes()].concat()
}

#[test]
fn a_host_of_another_version_or_none_is_refused() {
    let hello = frame(&format!(r#"{{"version":{VERSION},"stream":"control"}}"#));
    let then = |json: &str| broken_off(&[&hello[..], &frame(json)].concat());
    let refused = broken_off(&frame(r#"{"version":77,"colour":true}"#));
    assert!(refused.contains("version 77") && refused.contains("version 1"), "{refused}");
    assert!(broken_off(b"GET / HTTP/1.1\r\n\r\n").contains("the limit is"));
    assert!(broken_off(&[1, 2]).contains("inside a frame"));
    assert!(broken_off(&[]).contains("closed the connection"));
    assert!(then(r#"{"start":{"process":{"tty":true}}}"#).contains("tty"));
    assert!(then(r#"{"signal":{"number":9}}"#).contains("before a process"));
    assert!(then("null").contains("not a message"));
}

#[test]
fn nobody_there() {
    let nobody = UnixHost("/no/such/socket".into());
    let error = run(&nobody, &mut ProcessGroup::default()).unwrap_err().to_string();
    assert!(error.starts_with("host, Control stream: No such file"), "{error}");
}
