//! A VM that is saved, and goes on from there in another process.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{IoSlice, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

use crate::control::{Controller, DONE, PAUSE, RESUME, assert_counts, read_all, read_some, start};
use crate::guest::Code;
use crate::network::handed_over::inherit;
use crate::process::{Outcome, Vm, finish, kvm_is_there, run};

const SAVE: &str = r#"{"snapshot_type": "Full"}"#;

/// Asks for a snapshot in these files.
fn save(controller: &Controller, state: &File, memory: &File) -> String {
    let files = [state.as_fd(), memory.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    assert!(ancillary.push(SendAncillaryMessage::ScmRights(&files)));
    let bytes = [IoSlice::new(SAVE.as_bytes())];
    sendmsg(controller.socket(), &bytes, &mut ancillary, SendFlags::NOSIGNAL).unwrap();
    controller.answer()
}

/// The two files of a snapshot.
struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    fn new() -> Files {
        Files { folder: tempfile::tempdir().unwrap() }
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    fn memory(&self) -> PathBuf {
        self.folder.path().join("memory")
    }

    /// Has a VM that is held write itself.
    fn save(&self, controller: &Controller) {
        let create = |path| {
            let _ = std::fs::remove_file(&path);
            let mut options = OpenOptions::new();
            options.read(true).write(true).create_new(true).mode(0o600).open(path).unwrap()
        };
        assert_eq!(save(controller, &create(self.state()), &create(self.memory())), DONE);
    }

    /// Has the command restore it.
    fn hand_over(&self, command: &mut Command) {
        for (option, path) in
            [("--restore-state", self.state()), ("--restore-memory", self.memory())]
        {
            let file: OwnedFd = File::open(path).unwrap().into();
            command.arg(option).arg(file.as_raw_fd().to_string());
            inherit(command, file);
        }
    }

    /// Starts a VM of it, with a control socket.
    fn restore(&self, vm: &Vm, arguments: &[&str]) -> (Child, Controller) {
        let (controller, other) = Controller::pair();
        let mut command = vm.command();
        command.stdin(Stdio::null()).arg("--control").arg(other.as_raw_fd().to_string());
        command.args(arguments);
        inherit(&mut command, other);
        self.hand_over(&mut command);
        (command.spawn().unwrap(), controller)
    }
}

/// Ends a VM that is held, and nothing of it comes after what it has said.
fn end(child: Child) {
    // SAFETY: it has not been waited for, so that the number is its own.
    assert_eq!(unsafe { libc::kill(child.id() as i32, libc::SIGTERM) }, 0);
    let outcome = finish(child);
    assert_eq!((outcome.status, &*outcome.stdout), (0, ""), "{outcome:?}");
}

#[test]
fn a_vm_goes_on_from_its_snapshot_as_if_nothing_had_been() {
    if !kvm_is_there("a_vm_goes_on_from_its_snapshot_as_if_nothing_had_been") {
        return;
    }
    let vm = Vm::new(&Code::new().count_forever().into_kernel());
    let (mut child, mut controller) = start(&vm, &[]);
    let mut said = Vec::new();
    let files = Files::new();
    for generation in 0..50 {
        let mut stdout = child.stdout.take().unwrap();
        said.extend(read_some(&mut stdout, 100 + 37 * generation));
        assert_eq!(controller.ask(PAUSE), DONE);
        files.save(&controller);
        said.extend(read_all(&mut stdout));
        child.stdout = Some(stdout);
        end(child);
        // Every second one begins when it is told so.
        let paused: &[&str] = if generation % 2 == 0 { &["--paused"] } else { &[] };
        (child, controller) = files.restore(&vm, paused);
        if generation % 2 == 0 {
            assert_eq!(controller.ask(RESUME), DONE);
        }
    }
    said.extend(read_some(child.stdout.as_mut().unwrap(), 1000));
    assert_counts(&said);
    assert_eq!(controller.ask(PAUSE), DONE);
    read_all(child.stdout.as_mut().unwrap());
    end(child);
}

#[test]
fn a_vm_that_was_saved_goes_on_and_so_do_any_number_of_others() {
    if !kvm_is_there("a_vm_that_was_saved_goes_on_and_so_do_any_number_of_others") {
        return;
    }
    let vm = Vm::new(&Code::new().count_forever().into_kernel());
    let (mut first, controller) = start(&vm, &[]);
    let stdout = first.stdout.as_mut().unwrap();
    let mut said = read_some(stdout, 10);
    assert_eq!(controller.ask(PAUSE), DONE);
    let files = Files::new();
    files.save(&controller);
    said.extend(read_all(stdout));
    let last = *said.last().unwrap();
    assert_eq!(controller.ask(RESUME), DONE);
    let mut others: Vec<_> = (0..3).map(|_| files.restore(&vm, &[])).collect();
    let all = others.iter_mut().map(|(other, _)| other).chain([&mut first]);
    for vm in all {
        let next = read_some(vm.stdout.as_mut().unwrap(), 100);
        assert_eq!(next[0], last.wrapping_add(1));
        assert_counts(&next);
        vm.kill().unwrap();
        vm.wait().unwrap();
    }
}

/// A guest that waits for a byte and says it, in a snapshot.
fn saved_echo() -> (Vm, Files) {
    let vm = Vm::new(&Code::new().print("go").echo().power_off().into_kernel());
    let (mut child, controller) = start(&vm, &[]);
    assert_eq!(read_some(child.stdout.as_mut().unwrap(), 2), b"go");
    assert!(
        save(&controller, &tempfile::tempfile().unwrap(), &tempfile::tempfile().unwrap())
            .contains("the VM runs")
    );
    assert_eq!(controller.ask(PAUSE), DONE);
    let files = Files::new();
    files.save(&controller);
    end(child);
    (vm, files)
}

#[test]
fn a_snapshot_of_another_machine_or_that_was_changed_is_refused_by_name() {
    if !kvm_is_there("a_snapshot_of_another_machine_or_that_was_changed_is_refused_by_name") {
        return;
    }
    let (vm, files) = saved_echo();
    let restore = || {
        let mut command = vm.command();
        files.hand_over(&mut command);
        run(command, b"x")
    };
    let refused = |words: &str| {
        let Outcome { status, stdout, stderr } = restore();
        assert_eq!(stdout, "");
        assert!(status != 0 && stderr.contains(words) && stderr.lines().count() == 1, "{stderr}");
    };
    let said = |outcome: Outcome| (outcome.status, outcome.stdout, outcome.stderr);
    assert_eq!(said(restore()), (0, "x".to_owned(), String::new()));
    vm.configure(r#", "entropy": {}"#);
    refused("--restore-state: devices: was  when the snapshot was made, is entropy here");
    let kernel = vm.kernel();
    let machine = |machine: &str| {
        let kernel = format!(r#"{{"boot-source": {{"kernel_image_path": {kernel:?}}}"#);
        vm.write(&format!(r#"{kernel}, "machine-config": {{{machine}}}}}"#));
    };
    machine(r#""vcpu_count": 2, "mem_size_mib": 16"#);
    refused("number of vCPUs: was 1 when");
    machine(r#""vcpu_count": 1, "mem_size_mib": 32"#);
    refused("--restore-memory: 16777216 bytes: expected 33554432");
    machine(r#""vcpu_count": 1, "mem_size_mib": 16, "huge_pages": "Transparent""#);
    refused("huge_pages: expected \"None\"");
    vm.configure("");
    for (path, option) in [(files.state(), "--restore-state"), (files.memory(), "--restore-memory")]
    {
        std::fs::set_permissions(&path, Permissions::from_mode(0o620)).unwrap();
        refused(&format!("{option} "));
        refused("to which nobody but this user and root can write");
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        let writer = OpenOptions::new().write(true).open(&path).unwrap();
        rustix::fs::flock(&writer, rustix::fs::FlockOperation::LockExclusive).unwrap();
        refused("nobody has locked");
    }
    let state = OpenOptions::new().read(true).write(true).open(files.state()).unwrap();
    for (at, words) in [(0, "is no snapshot"), (8, "version"), (20, "is damaged"), (60, "checksum")]
    {
        let mut byte = [0];
        state.read_exact_at(&mut byte, at).unwrap();
        state.write_all_at(&[byte[0] ^ 2], at).unwrap();
        refused(words);
        state.write_all_at(&byte, at).unwrap();
    }
    (&state).write_all(b"").unwrap();
    assert_eq!(said(restore()), (0, "x".to_owned(), String::new()), "all is as it was");
}

#[test]
fn a_disk_that_is_full_is_an_error_and_the_vm_goes_on() {
    if !kvm_is_there("a_disk_that_is_full_is_an_error_and_the_vm_goes_on") {
        return;
    }
    let vm = Vm::new(&Code::new().count_forever().into_kernel());
    let (mut child, controller) = start(&vm, &[]);
    let mut said = read_some(child.stdout.as_mut().unwrap(), 10);
    assert_eq!(controller.ask(PAUSE), DONE);
    let full = || {
        // A memfd that has no room for more than it has.
        let full = rustix::fs::memfd_create("full", rustix::fs::MemfdFlags::ALLOW_SEALING).unwrap();
        rustix::fs::fcntl_add_seals(&full, rustix::fs::SealFlags::GROW).unwrap();
        File::from(full)
    };
    let file = || tempfile::tempfile().unwrap();
    let fault = save(&controller, &file(), &full());
    assert!(fault.contains("memory: cannot write it"), "{fault}");
    let fault = save(&controller, &full(), &file());
    assert!(fault.contains("state: cannot write it"), "{fault}");
    // Somebody's memory may be mapped from it.
    let used = file();
    used.write_all_at(b"x", 0).unwrap();
    let fault = save(&controller, &file(), &used);
    assert!(fault.contains("memory: expected an empty file"), "{fault}");
    let device = OpenOptions::new().write(true).open("/dev/null").unwrap();
    let fault = save(&controller, &device, &file());
    assert!(fault.contains("state: expected an empty file"), "{fault}");
    assert_eq!(controller.ask(RESUME), DONE);
    said.extend(read_some(child.stdout.as_mut().unwrap(), 1000));
    assert_counts(&said);
    child.kill().unwrap();
    child.wait().unwrap();
}
