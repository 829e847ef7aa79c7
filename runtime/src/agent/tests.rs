//! The agent against the guest's real half, and against guests that misbehave.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use guest_init::rehearsal::{ProcessGroup, UnixHost};
use protocol::{Hello, Stream, VERSION, read_message, write_message};
use rustix::pipe::{PipeFlags, pipe_with};

use super::*;

fn process(args: &[&str]) -> Process {
    Process {
        args: args.iter().map(|&arg| arg.into()).collect(),
        env: vec![],
        cwd: "/".into(),
        user: "".into(),
        hostname: "test".into(),
        read_only: false,
    }
}

/// An agent that runs, and all that it is connected to.
struct Run {
    _folder: tempfile::TempDir,
    socket: PathBuf,
    agent: JoinHandle<Result<ExitStatus, AgentError>>,
    stdin: File,
    stdout: File,
    stderr: File,
    signals: File,
    vm: OwnedFd,
}

/// Not for the processes of this test, which would hold it open.
fn pipe() -> (OwnedFd, OwnedFd) {
    pipe_with(PipeFlags::CLOEXEC).unwrap()
}

/// Both ends of a pipe: for the agent, for the test.
fn agent_reads() -> (OwnedFd, File) {
    let (read, write) = pipe();
    (read, write.into())
}

fn agent_writes() -> (OwnedFd, File) {
    let (read, write) = pipe();
    (write, read.into())
}

impl Run {
    fn new(process: Process) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let agent = Agent::listen(&folder.path().join("v"), process).unwrap();
        let socket = folder.path().join("v_1024");
        let (agent_stdin, stdin) = agent_reads();
        let (agent_stdout, stdout) = agent_writes();
        let (agent_stderr, stderr) = agent_writes();
        let (agent_signals, signals) = agent_reads();
        rustix::io::ioctl_fionbio(&agent_signals, true).unwrap();
        let (agent_vm, vm) = pipe();
        let stdio = Stdio { stdin: agent_stdin, stdout: agent_stdout, stderr: agent_stderr };
        let agent =
            thread::spawn(move || agent.run(stdio, agent_signals.as_fd(), agent_vm.as_fd()));
        Self { _folder: folder, socket, agent, stdin, stdout, stderr, signals, vm }
    }

    /// With the guest's real half, around an ordinary shell.
    fn with_guest(script: &str) -> (Self, JoinHandle<()>) {
        let run = Self::new(process(&["sh", "-c", script]));
        let socket = run.socket.clone();
        let guest = thread::spawn(move || {
            let _ = guest_init::session::run(&UnixHost(socket), &mut ProcessGroup::default());
        });
        (run, guest)
    }

    fn fake_guest(&self) -> FakeGuest {
        FakeGuest { socket: self.socket.clone() }
    }

    fn error(self) -> AgentError {
        self.agent.join().unwrap().unwrap_err()
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
        assert!(matches!(read_message(&mut control).unwrap(), ToGuest::Start(_)));
        control
    }

    /// Up to Started: control, stdin, stdout, stderr.
    fn started(&self) -> [UnixStream; 4] {
        let mut control = self.control();
        let [stdin, stdout, stderr] =
            [Stream::Stdin, Stream::Stdout, Stream::Stderr].map(|stream| self.open(stream));
        write_message(&mut control, &ToHost::Started { pid: 7 }).unwrap();
        [control, stdin, stdout, stderr]
    }
}

fn all(file: &mut File) -> String {
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn both_real_halves_run_a_shell() {
    let (mut run, guest) = Run::with_guest("cat; echo err >&2; exit 7");
    run.stdin.write_all(b"through\n").unwrap();
    drop(run.stdin);
    assert_eq!(all(&mut run.stdout), "through\n");
    assert_eq!(all(&mut run.stderr), "err\n");
    assert_eq!(run.agent.join().unwrap().unwrap(), ExitStatus::Code(7));
    guest.join().unwrap();
    assert!(!run.socket.exists());
}

#[test]
fn a_process_that_leaves_its_input_alone_ends_the_run() {
    let (run, guest) = Run::with_guest("exit 3");
    // stdin stays open, and silent.
    assert_eq!(run.agent.join().unwrap().unwrap(), ExitStatus::Code(3));
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
        let count = run.stdout.read(&mut buffer).unwrap();
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
    assert_eq!(run.agent.join().unwrap().unwrap(), ExitStatus::Code(0));
    guest.join().unwrap();
}

#[test]
fn a_reader_that_leaves_breaks_the_process_s_pipe() {
    let (run, guest) = Run::with_guest("exec yes");
    drop(run.stdout);
    assert_eq!(run.agent.join().unwrap().unwrap(), ExitStatus::Signal(libc::SIGPIPE as u8));
    guest.join().unwrap();
}

#[test]
fn signals_are_passed_on() {
    let (mut run, guest) =
        Run::with_guest("trap 'echo hup' HUP; echo; while :; do sleep 0.02; done");
    let mut line = [0];
    run.stdout.read_exact(&mut line).unwrap();
    run.signals.write_all(&[libc::SIGHUP as u8]).unwrap();
    let mut line = [0; 4];
    run.stdout.read_exact(&mut line).unwrap();
    assert_eq!(&line, b"hup\n");
    run.signals.write_all(&[libc::SIGTERM as u8]).unwrap();
    assert_eq!(run.agent.join().unwrap().unwrap().exit_code(), 143);
    guest.join().unwrap();
}

#[test]
fn what_can_t_be_started_has_its_own_status() {
    let run = Run::new(process(&["no-such-command"]));
    let socket = run.socket.clone();
    let guest = thread::spawn(move || {
        guest_init::session::run(&UnixHost(socket), &mut ProcessGroup::default()).unwrap();
    });
    let error = run.error();
    assert_eq!(error.exit_code(), 127);
    assert!(error.to_string().starts_with("no-such-command: not found in PATH"), "{error}");
    guest.join().unwrap();
}

#[test]
fn a_malformed_process_needs_no_guest() {
    let folder = tempfile::tempdir().unwrap();
    let refused =
        |process| Agent::listen(&folder.path().join("v"), process).unwrap_err().to_string();
    assert!(refused(process(&[])).contains("args: empty"));
    assert!(refused(process(&[&"x".repeat(1 << 20)])).contains("the limit is 1048576"));
    let error =
        Agent::listen(Path::new("/no/such/folder/v"), process(&["sh"])).unwrap_err().to_string();
    assert!(error.starts_with("/no/such/folder/v_1024: No such file"), "{error}");
}

#[test]
fn the_end_of_the_vm_or_a_signal_ends_the_wait() {
    let run = Run::new(process(&["sh"]));
    drop(run.vm);
    assert!(matches!(run.agent.join().unwrap(), Err(AgentError::VmEnded)));

    let mut run = Run::new(process(&["sh"]));
    run.signals.write_all(&[2]).unwrap();
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
                assert_eq!(all(&mut run.stdout), "last words");
            }
        }
        let error = run.error();
        assert!(matches!(error, AgentError::GuestLeft), "step {step}: {error}");
    }
}

/// Connects as the guest would, sends these bytes, and returns the agent's complaint.
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
    let error = run.error().to_string();
    drop(open);
    error
}

fn frame(json: &str) -> Vec<u8> {
    [&(json.len() as u32).to_le_bytes(), json.as_bytes()].concat()
}

#[test]
fn what_can_t_be_parsed_is_refused_by_name() {
    let hello = |stream: &str| frame(&format!(r#"{{"version":{VERSION},"stream":"{stream}"}}"#));
    let control = |json: &str| complaint(&[&[hello("control"), frame(json)].concat()]);
    let version = complaint(&[&frame(r#"{"version":2,"stream":"control"}"#)]);
    assert!(version.contains("version 2") && version.contains("version 1"), "{version}");
    assert!(complaint(&[&[0xff; 4]]).contains("the limit is"));
    assert!(complaint(&[&hello("display")]).contains("display"));
    assert!(complaint(&[&hello("stdout"), &hello("stdout")]).contains("Stdout stream twice"));
    assert!(complaint(&[&hello("control"), &hello("control")]).contains("Control stream twice"));
    assert!(complaint(&[&b""[..]; 5]).contains("without a word"));
    assert!(control(r#"{"started":{"pid":1}}"#).contains("\"started\" when it was not its turn"));
    assert!(control(r#"{"exited":{"status":{"code":0}}}"#).contains("\"exited\""));
    assert!(control(r#"{"exited":{"status":{"code":256}}}"#).contains("256"));
    assert!(control(r#"{"crashed":{}}"#).contains("crashed"));
    let words = control(r#"{"start-failed":{"kind":"other","message":"a\u001b[2J\nb"}}"#);
    assert_eq!(words, "a\\u{1b}[2J\\nb");
}

#[test]
fn a_guest_that_reads_nothing_hangs_nobody() {
    let mut run = Run::new(process(&["sh", "-c", &"x".repeat(1_000_000)]));
    let mut control = run.fake_guest().open(Stream::Control);
    write_message(&mut control, &ToHost::Ready).unwrap();
    thread::sleep(Duration::from_millis(50));
    let before = Instant::now();
    run.signals.write_all(&[15]).unwrap();
    assert_eq!(run.error().exit_code(), 143);
    assert!(before.elapsed() < Duration::from_secs(5));
}

#[test]
fn an_exit_with_output_that_never_ends_is_interruptible() {
    let mut run = Run::new(process(&["sh"]));
    let [mut control, _stdin, stdout, stderr] = run.fake_guest().started();
    write_message(&mut control, &ToHost::Exited { status: ExitStatus::Code(0) }).unwrap();
    drop(stderr);
    thread::sleep(Duration::from_millis(50));
    assert!(!run.agent.is_finished(), "stdout is still open");
    run.signals.write_all(&[2]).unwrap();
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
    assert_eq!(signals::next(signals.as_fd()).unwrap(), Some(libc::SIGUSR1 as u8));
    assert_eq!(signals::next(signals.as_fd()).unwrap(), None);
    drop(signals);
    drop(Signals::catch().unwrap());
}
