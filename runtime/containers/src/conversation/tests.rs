//! The host's half against the guest's real half, and against guests that misbehave.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use guest_init::rehearsal::{ProcessGroups, UnixHost};
use host::poll::wait;
use host::text::in_one_line;
use protocol::{
    ExitStatus, Hello, Process, Setting, Stream, ToGuest, ToHost, VERSION, read_message,
    write_message,
};
use rustix::event::{PollFd, PollFlags};
use rustix::pipe::{PipeFlags, pipe_with};

use super::*;

mod given_up;
mod patience;
mod shortage;

fn process(args: &[&str]) -> Process {
    Process {
        args: args.iter().map(|&arg| arg.into()).collect(),
        env: vec![],
        cwd: "/".into(),
        user: "".into(),
        capabilities: 0,
        limits: vec![],
        no_new_privileges: false,
        seccomp: false,
    }
}

fn setting() -> Setting {
    Setting { hostname: "test".into(), read_only: false, tmpfs: vec![], memory: 1 << 27 }
}

/// Not for the processes of this test, which would hold it open.
fn pipe() -> (OwnedFd, OwnedFd) {
    pipe_with(PipeFlags::CLOEXEC).unwrap()
}

/// Both ends of a pipe: for the conversation, for the test.
fn agent_reads() -> (OwnedFd, File) {
    let (read, write) = pipe();
    (read, write.into())
}

fn agent_writes() -> (OwnedFd, File) {
    let (read, write) = pipe();
    (write, read.into())
}

/// What the test has of a process's streams.
struct Ends {
    stdin: File,
    stdout: File,
    stderr: File,
}

fn stdio() -> (Stdio, Ends) {
    let (agent_stdin, stdin) = agent_reads();
    let (agent_stdout, stdout) = agent_writes();
    let (agent_stderr, stderr) = agent_writes();
    let stdio = Stdio { stdin: Some(agent_stdin), stdout: agent_stdout, stderr: agent_stderr };
    (stdio, Ends { stdin, stdout, stderr })
}

/// A conversation, a process that is asked for, and all that they are connected to.
struct Run {
    _folder: tempfile::TempDir,
    socket: PathBuf,
    guest: Guest,
    outcome: JoinHandle<Result<Exit, Failure>>,
    ends: Ends,
    vm: OwnedFd,
}

impl Run {
    fn new(process: Process) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let reception = Reception::open(&folder.path().join("v")).unwrap();
        let socket = folder.path().join("v_1024");
        let (agent_vm, vm) = pipe();
        let guest = Guest::expect(reception, setting(), agent_vm.as_fd()).unwrap();
        let (stdio, ends) = stdio();
        let starter = guest.clone();
        let outcome =
            thread::spawn(move || starter.start(process, None, stdio).and_then(Running::wait));
        Self { _folder: folder, socket, guest, outcome, ends, vm }
    }

    /// With the guest's real half, around an ordinary shell.
    fn with_guest(script: &str) -> (Self, JoinHandle<()>) {
        let run = Self::new(process(&["sh", "-c", script]));
        let socket = run.socket.clone();
        let guest = thread::spawn(move || {
            let _ = guest_init::session::run(&UnixHost(socket), &ProcessGroups::default());
        });
        (run, guest)
    }

    fn fake_guest(&self) -> FakeGuest {
        FakeGuest { socket: self.socket.clone() }
    }

    fn error(self) -> Failure {
        self.outcome.join().unwrap().unwrap_err()
    }
}

/// Says what the test wants it to.
struct FakeGuest {
    socket: PathBuf,
}

impl FakeGuest {
    fn open(&self, stream: Stream) -> UnixStream {
        let mut connection = UnixStream::connect(&self.socket).unwrap();
        write_message(&mut connection, &Hello::new(stream)).unwrap();
        connection
    }

    /// Up to Start.
    fn control(&self) -> UnixStream {
        let mut control = self.open(Stream::Control);
        write_message(&mut control, &ToHost::Ready).unwrap();
        assert_eq!(read_message::<Hello>(&mut control).unwrap(), Hello::new(Stream::Control));
        assert!(matches!(read_message(&mut control).unwrap(), ToGuest::Setup(_)));
        assert!(matches!(read_message(&mut control).unwrap(), ToGuest::Start(_)));
        control
    }

    /// Up to Started: control, stdin, stdout, stderr.
    fn started(&self) -> [UnixStream; 4] {
        let mut control = self.control();
        let [stdin, stdout, stderr] = STREAMS.map(|stream| self.open(stream));
        write_message(&mut control, &ToHost::Started { process: 0, pid: 7 }).unwrap();
        [control, stdin, stdout, stderr]
    }
}

const STREAMS: [Stream; 3] =
    [Stream::Stdin { process: 0 }, Stream::Stdout { process: 0 }, Stream::Stderr { process: 0 }];

fn exited(status: ExitStatus) -> ToHost {
    ToHost::Exited { process: 0, status, out_of_memory: false }
}

fn status(outcome: JoinHandle<Result<Exit, Failure>>) -> ExitStatus {
    outcome.join().unwrap().unwrap().status
}

fn all(file: &mut File) -> String {
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn both_real_halves_run_a_shell() {
    let (mut run, guest) = Run::with_guest("cat; echo err >&2; exit 7");
    let socket = run.socket.clone();
    run.ends.stdin.write_all(b"through\n").unwrap();
    drop(run.ends.stdin);
    assert_eq!(all(&mut run.ends.stdout), "through\n");
    assert_eq!(all(&mut run.ends.stderr), "err\n");
    assert_eq!(status(run.outcome), ExitStatus::Code(7));
    guest.join().unwrap();
    assert!(!socket.exists());
}

#[test]
fn a_process_that_leaves_its_input_alone_ends_the_run() {
    let (run, guest) = Run::with_guest("exit 3");
    // stdin stays open, and silent.
    assert_eq!(status(run.outcome), ExitStatus::Code(3));
    guest.join().unwrap();
}

#[test]
fn much_output_to_a_slow_reader_arrives_whole() {
    const LENGTH: usize = 64 << 20;
    let (mut run, guest) = Run::with_guest(&format!("yes 0123456 | head -c {LENGTH}"));
    let mut buffer = vec![0; 1 << 16];
    let (mut total, mut place) = (0, 0);
    thread::sleep(Duration::from_millis(100));
    loop {
        let count = run.ends.stdout.read(&mut buffer).unwrap();
        if count == 0 {
            break;
        }
        for &byte in &buffer[..count] {
            assert_eq!(byte, b"0123456\n"[place]);
            place = (place + 1) % 8;
        }
        total += count;
    }
    assert_eq!(total, LENGTH);
    assert_eq!(status(run.outcome), ExitStatus::Code(0));
    guest.join().unwrap();
}

#[test]
fn a_reader_that_leaves_breaks_the_process_s_pipe() {
    let (run, guest) = Run::with_guest("exec yes");
    drop(run.ends.stdout);
    assert_eq!(status(run.outcome), ExitStatus::Signal(libc::SIGPIPE as u8));
    guest.join().unwrap();
}

#[test]
fn signals_are_passed_on() {
    let (mut run, guest) =
        Run::with_guest("trap 'echo usr1' USR1; echo; while :; do sleep 0.02; done");
    let mut line = [0];
    run.ends.stdout.read_exact(&mut line).unwrap();
    // Not SIGHUP: a shell under nohup can't trap that.
    run.guest.signal(0, libc::SIGUSR1 as u8);
    let mut line = [0; 5];
    run.ends.stdout.read_exact(&mut line).unwrap();
    assert_eq!(&line, b"usr1\n");
    run.guest.signal(0, libc::SIGTERM as u8);
    assert_eq!(status(run.outcome).exit_code(), 143);
    guest.join().unwrap();
}

#[test]
fn what_can_t_be_started_has_its_own_status() {
    let run = Run::new(process(&["no-such-command"]));
    let socket = run.socket.clone();
    let guest = thread::spawn(move || {
        guest_init::session::run(&UnixHost(socket), &ProcessGroups::default()).unwrap();
    });
    let error = run.error();
    assert_eq!(error.exit_code(), 127);
    assert!(error.to_string().starts_with("no-such-command: not found in PATH"), "{error}");
    guest.join().unwrap();
}

#[test]
fn a_malformed_request_is_refused_and_harms_nothing_else() {
    let (mut run, guest) = Run::with_guest("read line; exit 4");
    let refused = |args: &[&str]| {
        let failure = run.guest.start(process(args), None, stdio().0).unwrap_err();
        in_one_line(&failure)
    };
    assert!(refused(&[]).contains("args: empty"));
    assert!(refused(&[&"x".repeat(1 << 20)]).contains("the limit is 1048576"));
    run.ends.stdin.write_all(b"\n").unwrap();
    assert_eq!(status(run.outcome), ExitStatus::Code(4));
    guest.join().unwrap();

    let error = in_one_line(&Reception::open(Path::new("/no/such/folder/v")).unwrap_err());
    assert!(
        error.starts_with("/no/such/folder/v_1024: cannot listen there: No such file"),
        "{error}"
    );
}

#[test]
fn a_second_process_runs_beside_the_first() {
    let (mut run, guest) = Run::with_guest("echo; read line; exit 4");
    // It is the first only once it was asked for.
    run.ends.stdout.read_exact(&mut [0]).unwrap();
    let (second, mut ends) = stdio();
    let second = run.guest.start(process(&["sh", "-c", "cat; exit 3"]), None, second).unwrap();
    assert_eq!(second.number, 1);
    ends.stdin.write_all(b"second").unwrap();
    drop(ends.stdin);
    assert_eq!(all(&mut ends.stdout), "second");
    assert_eq!(all(&mut ends.stderr), "");
    assert_eq!(second.wait().unwrap().status, ExitStatus::Code(3));
    let failure = run.guest.start(process(&["no-such-command"]), None, stdio().0).unwrap_err();
    assert_eq!(failure.exit_code(), 127);
    // Without input of its own it finds an end of file.
    let (mut third, mut ends) = stdio();
    third.stdin = None;
    let third = run.guest.start(process(&["cat"]), None, third).unwrap();
    assert_eq!(all(&mut ends.stdout), "");
    assert_eq!(third.wait().unwrap().status, ExitStatus::Code(0));

    run.ends.stdin.write_all(b"\n").unwrap();
    assert_eq!(status(run.outcome), ExitStatus::Code(4));
    guest.join().unwrap();
}

#[test]
fn questions_and_copies_are_answered() {
    let (mut run, guest) = Run::with_guest("echo; read line; exit 4");
    run.ends.stdout.read_exact(&mut [0]).unwrap();
    assert_eq!(run.guest.thaw().unwrap_err().to_string(), "thaw: it never froze");
    run.guest.freeze().unwrap();
    run.guest.thaw().unwrap();
    assert_eq!(run.guest.statistics().unwrap().pids, 1);

    let file = run._folder.path().join("file");
    let (archive, mut content) = agent_reads();
    content.write_all(b"content").unwrap();
    drop(content);
    let path = || file.clone().into_os_string().into();
    run.guest.copy_in(path(), archive).unwrap();
    let (archive, mut content) = agent_writes();
    run.guest.copy_out(path(), archive).unwrap();
    assert_eq!(all(&mut content), "content");
    let (archive, mut content) = agent_writes();
    let failure = run.guest.copy_out("/no/such/file".into(), archive).unwrap_err();
    assert!(failure.to_string().starts_with("read: No such file"), "{failure}");
    assert_eq!(all(&mut content), "");

    run.ends.stdin.write_all(b"\n").unwrap();
    let guest_handle = run.guest.clone();
    assert_eq!(status(run.outcome), ExitStatus::Code(4));
    guest.join().unwrap();
    assert!(matches!(*guest_handle.statistics().unwrap_err(), ConversationError::Over));
}

#[test]
fn the_end_of_the_vm_or_a_signal_ends_the_wait() {
    let run = Run::new(process(&["sh"]));
    drop(run.vm);
    assert!(matches!(*run.outcome.join().unwrap().unwrap_err(), ConversationError::VmEnded));

    let run = Run::new(process(&["sh"]));
    run.guest.signal(0, 2);
    assert_eq!(run.error().exit_code(), 130);
}

#[test]
fn the_guest_may_leave_at_any_step() {
    for step in 0..4 {
        let mut run = Run::new(process(&["sh"]));
        let guest = run.fake_guest();
        match step {
            0 => drop(UnixStream::connect(&run.socket).unwrap()),
            1 => drop(guest.open(Stream::Control)),
            2 => drop(guest.control()),
            _ => {
                let [control, stdin, mut stdout, stderr] = guest.started();
                stdout.write_all(b"last words").unwrap();
                drop((control, stdin, stdout, stderr));
                assert_eq!(all(&mut run.ends.stdout), "last words");
            }
        }
        let error = run.error();
        assert!(matches!(*error, ConversationError::GuestLeft), "step {step}: {error}");
    }
}

/// Connects as the guest would, sends these bytes, and returns the conversation's error.
fn complaint(connections: &[&[u8]]) -> String {
    let run = Run::new(process(&["sh"]));
    let open: Vec<_> = connections
        .iter()
        .map(|bytes| {
            let mut connection = UnixStream::connect(&run.socket).unwrap();
            connection.write_all(bytes).unwrap();
            connection
        })
        .collect();
    let error = in_one_line(&run.error());
    drop(open);
    error
}

fn frame(json: &str) -> Vec<u8> {
    [&(json.len() as u32).to_le_bytes(), json.as_bytes()].concat()
}

#[test]
fn what_can_t_be_parsed_is_refused_by_name() {
    let hello = |stream: &str| frame(&format!(r#"{{"version":{VERSION},"stream":{stream}}}"#));
    let control = |json: &str| complaint(&[&[hello(r#""control""#), frame(json)].concat()]);
    let version = complaint(&[&frame(r#"{"version":1,"stream":"control"}"#)]);
    assert!(version.contains("version 1") && version.contains("version 2"), "{version}");
    assert!(complaint(&[&[0xff; 4]]).contains("the limit is"));
    assert!(complaint(&[&hello(r#""display""#)]).contains("display"));
    let unasked = complaint(&[&hello(r#"{"stdout":{"process":9}}"#)]);
    assert!(unasked.contains("Stdout { process: 9 }, which nobody asked for"), "{unasked}");
    let twice = complaint(&[&hello(r#""control""#), &hello(r#""control""#)]);
    assert!(twice.contains("Control, which nobody asked for"), "{twice}");
    assert!(complaint(&[&b""[..]; 17]).contains("without a word"));
    let started = control(r#"{"started":{"process":0,"pid":1}}"#);
    assert!(started.contains("\"started\" when it was not its turn"), "{started}");
    for turn in ["frozen", "thawed"] {
        assert!(control(&format!("{turn:?}")).contains(turn));
    }
    let exited = |code: u32| {
        let status = format!(r#""status":{{"code":{code}}},"out_of_memory":false"#);
        control(&format!(r#"{{"exited":{{"process":0,{status}}}}}"#))
    };
    assert!(exited(0).contains("\"exited\""));
    assert!(exited(256).contains("256"));
    assert!(control(r#"{"copied":{"transfer":1}}"#).contains("\"copied\""));
    assert!(control(r#"{"crashed":{}}"#).contains("crashed"));
    let words =
        control(r#"{"start-failed":{"process":0,"kind":"other","message":"a\u001b[2J\nb"}}"#);
    assert_eq!(words, "a\\u{1b}[2J\\nb");
}

#[test]
fn a_guest_that_reads_nothing_hangs_nobody() {
    let run = Run::new(process(&["sh", "-c", &"x".repeat(1_000_000)]));
    let mut control = run.fake_guest().open(Stream::Control);
    write_message(&mut control, &ToHost::Ready).unwrap();
    thread::sleep(Duration::from_millis(50));
    let before = Instant::now();
    run.guest.signal(0, 15);
    assert_eq!(run.error().exit_code(), 143);
    assert!(before.elapsed() < Duration::from_secs(5));
}

#[test]
fn an_exit_with_output_that_never_ends_is_interruptible() {
    let run = Run::new(process(&["sh"]));
    let [mut control, _stdin, stdout, stderr] = run.fake_guest().started();
    write_message(&mut control, &exited(ExitStatus::Code(0))).unwrap();
    drop(stderr);
    thread::sleep(Duration::from_millis(50));
    assert!(!run.outcome.is_finished(), "stdout is still open");
    run.guest.signal(0, 2);
    assert_eq!(run.error().exit_code(), 130);
    drop(stdout);
}

#[test]
fn caught_signals_arrive_as_bytes_and_only_once_at_a_time() {
    let signals = Signals::catch().unwrap();
    assert!(Signals::catch().is_err());
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::USR1)
        .unwrap();
    // Another thread of the test may be the one that is interrupted.
    wait(&mut [PollFd::new(&signals, PollFlags::IN)]).unwrap();
    assert_eq!(signals.next().unwrap(), Some(libc::SIGUSR1 as u8));
    assert_eq!(signals.next().unwrap(), None);
    drop(signals);
    drop(Signals::catch().unwrap());
}
