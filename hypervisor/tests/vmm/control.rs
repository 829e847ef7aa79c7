//! A VM that is held and let go by whoever has started it.

use std::io::Read;
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::{Child, ChildStdout, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair,
};

use crate::guest::Code;
use crate::network::handed_over::inherit;
use crate::process::{Vm, finish, kvm_is_there};

pub const PAUSE: &str = r#"{"state": "Paused"}"#;
pub const RESUME: &str = r#"{"state": "Resumed"}"#;
pub const DONE: &str = "{}";

/// The end of the socket that the VM does not have.
pub struct Controller(OwnedFd);

impl Controller {
    /// A pair of ends, the second for the VM.
    pub fn pair() -> (Controller, OwnedFd) {
        let flags = SocketFlags::CLOEXEC;
        let (own, other) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
        (Controller(own), other)
    }

    /// Its descriptor.
    pub fn socket(&self) -> &OwnedFd {
        &self.0
    }

    /// Asks, and waits for the answer; what it is.
    pub fn ask(&self, request: &str) -> String {
        send(&self.0, request.as_bytes(), SendFlags::NOSIGNAL).unwrap();
        self.answer()
    }

    /// Takes what was still answered, until the other end is closed.
    pub fn wait_for_the_end(&self) {
        while matches!(recv(&self.0, &mut [0; 1024], RecvFlags::empty()), Ok((_, 1..))) {}
    }

    /// The next answer.
    pub fn answer(&self) -> String {
        let mut bytes = [0; 1024];
        let (_, length) = recv(&self.0, &mut bytes, RecvFlags::empty()).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    }
}

/// Starts a VM with a control socket.
pub fn start(vm: &Vm, arguments: &[&str]) -> (Child, Controller) {
    let (controller, other) = Controller::pair();
    let mut command = vm.command();
    command.stdin(Stdio::null()).arg("--control").arg(other.as_raw_fd().to_string());
    command.args(arguments);
    inherit(&mut command, other);
    (command.spawn().unwrap(), controller)
}

/// What there is to read, without waiting for more.
pub fn read_all(stdout: &mut ChildStdout) -> Vec<u8> {
    let mut all = Vec::new();
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    while poll(&mut [PollFd::new(&*stdout, PollFlags::IN)], Some(&now)).unwrap() > 0 {
        let mut bytes = [0; 4096];
        match stdout.read(&mut bytes).unwrap() {
            0 => break,
            length => all.extend(&bytes[..length]),
        }
    }
    all
}

/// The next bytes, which are waited for.
pub fn read_some(stdout: &mut ChildStdout, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    stdout.read_exact(&mut bytes).unwrap();
    bytes
}

/// Whether each byte is one more than that before.
pub fn assert_counts(bytes: &[u8]) {
    for (place, pair) in bytes.windows(2).enumerate() {
        assert_eq!(pair[1], pair[0].wrapping_add(1), "after {place} bytes");
    }
}

#[test]
fn a_vm_that_is_held_stands_still_and_goes_on_where_it_was() {
    if !kvm_is_there("a_vm_that_is_held_stands_still_and_goes_on_where_it_was") {
        return;
    }
    let vm = Vm::new(&Code::new().count_forever().into_kernel());
    let (mut child, controller) = start(&vm, &[]);
    let mut stdout = child.stdout.take().unwrap();
    let mut said = read_some(&mut stdout, 10);
    for _ in 0..50 {
        assert_eq!(controller.ask(PAUSE), DONE);
        assert_eq!(controller.ask(PAUSE), DONE, "it is paused already");
        said.extend(read_all(&mut stdout));
        // Nobody is there who would write more: every vCPU has answered.
        assert_eq!(read_all(&mut stdout), b"");
        assert_eq!(controller.ask(RESUME), DONE);
        said.extend(read_some(&mut stdout, 10));
    }
    assert_counts(&said);
    assert!(controller.ask(r#"{"state": "Away"}"#).contains("expected `Paused` or `Resumed`"));
    // It goes on without whoever could hold it.
    drop(controller);
    read_some(&mut stdout, 1000);
    child.stdout = Some(stdout);
    // SAFETY: it has not been waited for, so that the number is its own.
    assert_eq!(unsafe { libc::kill(child.id() as i32, libc::SIGTERM) }, 0);
    let outcome = finish(child);
    assert_eq!((outcome.status, &*outcome.stderr), (0, ""));
}

#[test]
fn a_vm_that_starts_paused_begins_when_it_is_told_so() {
    if !kvm_is_there("a_vm_that_starts_paused_begins_when_it_is_told_so") {
        return;
    }
    let vm = Vm::new(&Code::new().print("hi").power_off().into_kernel());
    let (mut child, controller) = start(&vm, &["--paused"]);
    assert_eq!(controller.ask(PAUSE), DONE);
    let mut stdout = child.stdout.take().unwrap();
    assert_eq!(read_all(&mut stdout), b"");
    assert_eq!(controller.ask(RESUME), DONE);
    child.stdout = Some(stdout);
    let outcome = finish(child);
    assert_eq!((outcome.status, &*outcome.stdout, &*outcome.stderr), (0, "hi", ""));
}

#[test]
fn a_vm_that_nobody_can_let_go_on_ends() {
    if !kvm_is_there("a_vm_that_nobody_can_let_go_on_ends") {
        return;
    }
    let vm = Vm::new(&Code::new().power_off().into_kernel());
    let (child, controller) = start(&vm, &["--paused"]);
    drop(controller);
    let outcome = finish(child);
    let expected = "bulkhead-vmm: the control socket was closed while the VM was paused\n";
    assert_eq!((outcome.status, &*outcome.stderr), (1, expected));
}

#[test]
fn a_vm_that_is_held_ends_when_it_is_asked_to() {
    if !kvm_is_there("a_vm_that_is_held_ends_when_it_is_asked_to") {
        return;
    }
    let vm = Vm::new(&Code::new().count_forever().into_kernel());
    let (mut child, controller) = start(&vm, &["--stats"]);
    read_some(child.stdout.as_mut().unwrap(), 10);
    assert_eq!(controller.ask(PAUSE), DONE);
    // SAFETY: it has not been waited for, so that the number is its own.
    assert_eq!(unsafe { libc::kill(child.id() as i32, libc::SIGTERM) }, 0);
    let outcome = finish(child);
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert!(outcome.stderr.contains("port_writes") && !outcome.stderr.contains("vCPUs did not"));
}
