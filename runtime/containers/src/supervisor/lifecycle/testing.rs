//! A container for tests.

use std::fs;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio as Pipe};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};

use protocol::{Network, Stream, ToGuest, ToHost, read_message, write_message};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::super::output::Output;
use super::*;
use crate::container::log::Writer;
use crate::container::{LogOptions, State, Status};
use crate::conversation::{Guest, Reception, Stdio};
use crate::testing::{FakeGuest, null, process, setting};

/// In place of a VMM: stands still when it is told to, as a VMM's outer process has its VM do. A signal ends a wait, and so does
/// the end of whoever started it, also when that is killed.
const VMM: &str =
    "trap 'kill -STOP $$' TSTP; echo; while :; do read line || kill -0 $PPID || exit; done";

/// A container whose first process runs, in a guest that the test plays; in place of a VMM there is a shell.
pub(in crate::supervisor) struct Container {
    _folder: tempfile::TempDir,
    pub(in crate::supervisor) lifecycle: Arc<Lifecycle>,
    control: UnixStream,
    vmm: Child,
}

impl Container {
    pub(in crate::supervisor) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut vmm = Command::new("sh");
        let mut vmm =
            vmm.args(["-c", VMM]).stdin(Pipe::piped()).stdout(Pipe::piped()).spawn().unwrap();
        // From here on it hears a signal.
        vmm.stdout.take().unwrap().read_exact(&mut [0]).unwrap();
        let pidfd = pidfd_open(Pid::from_child(&vmm), PidfdFlags::empty()).unwrap();
        let reception = Reception::open(&folder.path().join("v")).unwrap();
        let guest = Guest::expect(reception, setting(), Network::default(), pidfd.as_fd()).unwrap();
        let control = first_process(&guest, folder.path().join("v_1024"));
        let log = Writer::open(&folder.path().join("log"), LogOptions::default()).unwrap();
        let inner = Inner {
            phase: Phase::Waiting,
            state: State { status: Status::Running, ..State::default() },
            tenure: None,
            stopping: false,
            killed: false,
            early: None,
            ends: 0,
            last_status: 0,
        };
        let lifecycle = Lifecycle {
            inner: Mutex::new(inner),
            changed: Condvar::new(),
            reports: Mutex::default(),
            output: Arc::new(Output::new(log).unwrap()),
            input: Default::default(),
        };
        lifecycle.entered(&guest, pidfd.as_fd()).unwrap();
        Self { _folder: folder, lifecycle: Arc::new(lifecycle), control, vmm }
    }

    /// In a thread, as a client's.
    pub(in crate::supervisor) fn begin(
        &self,
        what: fn(&Lifecycle) -> Result<(), SupervisorError>,
    ) -> JoinHandle<Result<(), SupervisorError>> {
        let lifecycle = Arc::clone(&self.lifecycle);
        thread::spawn(move || what(&lifecycle))
    }

    /// A pause whose guest has heard of it and does not answer yet.
    pub(in crate::supervisor) fn begin_to_pause(
        &mut self,
    ) -> JoinHandle<Result<(), SupervisorError>> {
        let pause = self.begin(Lifecycle::pause);
        assert_eq!(self.receive(), ToGuest::Freeze);
        pause
    }

    pub(in crate::supervisor) fn receive(&mut self) -> ToGuest {
        read_message(&mut self.control).unwrap()
    }

    pub(in crate::supervisor) fn send(&mut self, message: &ToHost) {
        write_message(&mut self.control, message).unwrap();
    }

    /// Waits until it is.
    pub(in crate::supervisor) fn vmm_stops(&self) {
        while !self.vmm_is_stopped() {
            thread::yield_now();
        }
    }

    /// proc_pid_stat(5), `state`.
    pub(in crate::supervisor) fn vmm_is_stopped(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.vmm.id())).unwrap();
        stat.contains(") T ")
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = (self.vmm.kill(), self.vmm.wait());
    }
}

/// Plays a guest up to where its first process runs.
fn first_process(guest: &Guest, socket: PathBuf) -> UnixStream {
    let starter = guest.clone();
    let start = thread::spawn(move || {
        let stdio = Stdio { stdin: None, stdout: null(), stderr: null() };
        starter.start(process(&["sh"]), None, stdio).unwrap()
    });
    let fake = FakeGuest::new(socket);
    let mut control = fake.control();
    for stream in [Stream::Stdout { process: 0 }, Stream::Stderr { process: 0 }] {
        // Closed at once: there is no output.
        drop(fake.open(stream));
    }
    write_message(&mut control, &ToHost::Started { process: 0, pid: 7 }).unwrap();
    start.join().unwrap();
    control
}
