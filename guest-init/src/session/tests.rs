mod refused_hosts;
mod requests;

use std::io::{Read, Write};
use std::net::Shutdown as NetShutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread::{self, JoinHandle};

use protocol::{ByteString, FailureKind, Network, Process, Setting, VERSION};

use super::*;
use crate::rehearsal::{ProcessGroups, UnixHost};

/// As the host says it in Setup.
const KEY: &str = "it is me";

/// A host that the test plays, against a real session in a thread.
struct Host {
    folder: tempfile::TempDir,
    listener: UnixListener,
    session: JoinHandle<Result<(), SessionError>>,
}

impl Host {
    fn new(guest: ProcessGroups) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("v_1024");
        let listener = UnixListener::bind(&path).unwrap();
        let session = thread::spawn(move || run(&UnixHost(path), &guest));
        Self { folder, listener, session }
    }

    fn accept(&self) -> (Hello, UnixStream) {
        let (mut connection, _) = self.listener.accept().unwrap();
        let hello = FrameReader::default().read(&mut connection).unwrap().unwrap();
        (Hello::check(&hello).unwrap(), connection)
    }

    /// The call for a stream, which repeats the key, but for the first.
    fn expect(&self, stream: Stream) -> UnixStream {
        let (hello, connection) = self.accept();
        let key = if stream == Stream::Control { "" } else { KEY };
        assert_eq!(hello, Hello::with_key(stream, key.into()));
        connection
    }

    /// Up to Setup.
    fn set_up(&self) -> UnixStream {
        let mut control = self.expect(Stream::Control);
        assert_eq!(read_message::<ToHost>(&mut control).unwrap(), ToHost::Ready);
        write_message(&mut control, &Hello::new(Stream::Control)).unwrap();
        write_message(&mut control, &ToGuest::Setup(Box::new(setup()))).unwrap();
        control
    }

    /// From Start to Started.
    fn start(&self, control: &mut UnixStream, number: u32, script: &str) -> Streams {
        send_start(control, number, &["sh", "-c", script]);
        let process = number;
        let stdin = self.expect(Stream::Stdin { process });
        let stdout = self.expect(Stream::Stdout { process });
        let stderr = self.expect(Stream::Stderr { process });
        assert!(matches!(
            read_message(control).unwrap(),
            ToHost::Started { process, .. } if process == number
        ));
        Streams { control: control.try_clone().unwrap(), stdin, stdout, stderr }
    }

    /// The container's first process.
    fn first(&self, script: &str) -> Streams {
        self.start(&mut self.set_up(), 0, script)
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
            ToHost::Exited { process: 0, status, out_of_memory: false } => status,
            other => panic!("{other:?} in place of Exited"),
        }
    }
}

fn setup() -> Setup {
    let setting =
        Setting { hostname: "test".into(), read_only: false, tmpfs: Vec::new(), memory: 1 << 27 };
    let clock = Clock { unix_seconds: 0, nanoseconds: 0 };
    let network = Network::default();
    Setup { setting, network, clock, seed: ByteString::from(vec![1; 32]), key: KEY.into() }
}

fn send_start(control: &mut UnixStream, number: u32, args: &[&str]) {
    let process = Process {
        args: args.iter().map(|&arg| arg.into()).collect(),
        env: Vec::new(),
        cwd: "/".into(),
        user: "".into(),
        capabilities: 0,
        limits: Vec::new(),
        no_new_privileges: false,
        seccomp: false,
    };
    let start = Start { number, process, terminal: None, stdin: true };
    write_message(control, &ToGuest::Start(Box::new(start))).unwrap();
}

fn all(stream: &mut UnixStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn input_output_and_exit_status() {
    let host = Host::new(ProcessGroups::default());
    let mut streams = host.first("cat; echo err >&2; exit 7");
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
    let host = Host::new(ProcessGroups::default());
    let mut streams = host.first("exec true");
    assert_eq!(streams.exit_status(), ExitStatus::Code(0));
    // More than pipe and sockets hold: only a closed stream ends this loop.
    while streams.stdin.write(&[0; 4096]).is_ok() {}
    drop(streams);
    host.session.join().unwrap().unwrap();
}

#[test]
fn a_background_process_does_not_hold_the_end_back() {
    let host = Host::new(ProcessGroups::default());
    let mut streams = host.first("sleep 1000 & printf before");
    assert_eq!(all(&mut streams.stdout), "before");
    assert_eq!(streams.exit_status(), ExitStatus::Code(0));
    drop(streams);
    host.session.join().unwrap().unwrap();
}

#[test]
fn a_signal_reaches_the_process() {
    let host = Host::new(ProcessGroups::default());
    let mut streams =
        host.first("trap 'echo caught; exit 9' TERM; echo ready; while :; do sleep 0.02; done");
    let mut line = [0; 6];
    streams.stdout.read_exact(&mut line).unwrap();
    write_message(&mut streams.control, &ToGuest::Signal { process: 0, number: 15 }).unwrap();
    assert_eq!(all(&mut streams.stdout), "caught\n");
    assert_eq!(streams.exit_status(), ExitStatus::Code(9));
}

#[test]
fn a_signal_s_death_is_told() {
    let host = Host::new(ProcessGroups::default());
    assert_eq!(host.first("kill -SEGV $$").exit_status(), ExitStatus::Signal(11));
}

#[test]
fn a_host_that_leaves_takes_the_process_along() {
    let host = Host::new(ProcessGroups::default());
    drop(host.first("exec sleep 1000"));
    assert!(matches!(
        host.session.join().unwrap(),
        Err(SessionError::Host { stream: Stream::Control, .. })
    ));
}

#[test]
fn garbage_in_place_of_a_request_ends_the_process() {
    for garbage in ["{}", r#"{"signal":{"process":0,"number":256}}"#, r#""ready""#] {
        let host = Host::new(ProcessGroups::default());
        let mut streams = host.first("exec sleep 1000");
        streams.control.write_all(&frame(garbage)).unwrap();
        assert_eq!(streams.exit_status(), ExitStatus::Signal(9));
    }
}

#[test]
fn a_command_that_is_not_there_and_a_broken_disk_are_told() {
    let failure = |guest: ProcessGroups, args: &[&str]| {
        let ready = guest.broken_disk.is_none();
        let host = Host::new(guest);
        let mut control = if ready { host.set_up() } else { host.expect(Stream::Control) };
        if ready {
            send_start(&mut control, 0, args);
        }
        let ToHost::StartFailed { process: 0, kind, message } = read_message(&mut control).unwrap()
        else {
            panic!()
        };
        assert!(!host.session.is_finished());
        drop(control);
        host.session.join().unwrap().unwrap();
        (kind, message)
    };
    let (kind, message) = failure(ProcessGroups::default(), &["no-such-command"]);
    assert_eq!(kind, FailureKind::NotFound);
    assert!(message.starts_with("no-such-command: not found in PATH"), "{message}");
    assert_eq!(failure(ProcessGroups::default(), &["/etc/passwd"]).0, FailureKind::NotExecutable);
    let (kind, message) = failure(ProcessGroups::default(), &[]);
    assert!((kind, message.contains("args: empty")) == (FailureKind::Other, true), "{message}");
    let broken = ProcessGroups::with_broken_disk("no such disk");
    let (kind, message) = failure(broken, &[]);
    assert_eq!((kind, message.as_str()), (FailureKind::Other, "mount: no such disk"));
}

#[test]
fn another_process_runs_beside_the_first_and_ends_alone() {
    let host = Host::new(ProcessGroups::default());
    let mut control = host.set_up();
    let mut first = host.start(&mut control, 0, "read line; echo $line; exit 5");
    let mut another = host.start(&mut control, 1, "cat; exit 3");
    another.stdin.write_all(b"other").unwrap();
    another.stdin.shutdown(NetShutdown::Write).unwrap();
    assert_eq!(all(&mut another.stdout), "other");
    let ended = ToHost::Exited { process: 1, status: ExitStatus::Code(3), out_of_memory: false };
    assert_eq!(read_message::<ToHost>(&mut control).unwrap(), ended);
    // One that can't be started is no reason for anything else to end.
    send_start(&mut control, 2, &["no-such-command"]);
    assert!(matches!(
        read_message(&mut control).unwrap(),
        ToHost::StartFailed { process: 2, kind: FailureKind::NotFound, .. }
    ));
    first.stdin.write_all(b"line\n").unwrap();
    assert_eq!(all(&mut first.stdout), "line\n");
    assert_eq!(first.exit_status(), ExitStatus::Code(5));
}

#[test]
fn another_process_ends_though_its_child_goes_on_writing() {
    let host = Host::new(ProcessGroups::default());
    let mut control = host.set_up();
    let _first = host.start(&mut control, 0, "read line");
    let mut another = host.start(&mut control, 1, "echo own; yes & exit 4");
    assert!(all(&mut another.stdout).starts_with("own\n"));
    let ended = ToHost::Exited { process: 1, status: ExitStatus::Code(4), out_of_memory: false };
    assert_eq!(read_message::<ToHost>(&mut control).unwrap(), ended);
}

#[test]
fn the_first_process_takes_the_others_along_and_is_told_last() {
    let host = Host::new(ProcessGroups::default());
    let mut control = host.set_up();
    let mut first = host.start(&mut control, 0, "read line; exit 5");
    let another = host.start(&mut control, 1, "exec sleep 1000");
    first.stdin.write_all(b"\n").unwrap();
    let ended = ToHost::Exited { process: 1, status: ExitStatus::Signal(9), out_of_memory: false };
    assert_eq!(read_message::<ToHost>(&mut control).unwrap(), ended);
    assert_eq!(first.exit_status(), ExitStatus::Code(5));
    drop((control, first, another));
    host.session.join().unwrap().unwrap();
}

fn frame(json: &str) -> Vec<u8> {
    [&(json.len() as u32).to_le_bytes(), json.as_bytes()].concat()
}
