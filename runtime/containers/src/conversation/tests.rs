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
    ExitStatus, FailureKind, Hello, Network, Process, Stream, ToGuest, ToHost, VERSION, encode,
    read_message, write_message,
};
use rustix::event::{PollFd, PollFlags};
use rustix::pipe::{PipeFlags, pipe_with};

use super::*;
use crate::testing::{FakeGuest, null, process, setting};

mod given_up;
mod misbehaving;
mod patience;
mod real;
mod shortage;

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
        let guest =
            Guest::expect(reception, setting(), Network::default(), agent_vm.as_fd()).unwrap();
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
        FakeGuest::new(self.socket.clone())
    }

    fn error(self) -> Failure {
        self.outcome.join().unwrap().unwrap_err()
    }
}

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
