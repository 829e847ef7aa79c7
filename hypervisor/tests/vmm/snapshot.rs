//! A VM that is saved, and goes on from there in another process.

mod files;

use std::fs::{File, OpenOptions, Permissions};
use std::io::Read;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::process::Child;
use std::time::Duration;

use crate::control::{DONE, PAUSE, RESUME, assert_counts, read_all, read_some, start};
use crate::guest::Code;
use crate::process::{Outcome, Vm, finish, kvm_is_there, run};
use files::{Files, ask_to_save, save};

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
    assert_eq!(said(restore()), (0, "x".to_owned(), String::new()), "all is as it was");
}

/// Whoever finds a state that is whole finds the memory that belongs to it.
#[test]
fn a_vm_that_is_killed_while_it_is_saved_leaves_nothing_that_could_be_taken_for_a_snapshot() {
    let test =
        "a_vm_that_is_killed_while_it_is_saved_leaves_nothing_that_could_be_taken_for_a_snapshot";
    if !kvm_is_there(test) {
        return;
    }
    let vm = Vm::new(&Code::new().count_forever().into_kernel());
    let files = Files::new();
    let (mut whole, mut cut) = (0, 0);
    // Until both have been seen, each time a little later.
    for moment in (0..2000).step_by(50) {
        let (mut child, controller) = start(&vm, &[]);
        let stdout = child.stdout.as_mut().unwrap();
        let mut said = read_some(stdout, 10);
        assert_eq!(controller.ask(PAUSE), DONE);
        said.extend(read_all(stdout));
        let (state, memory) = files.create();
        ask_to_save(&controller, &state, &memory);
        std::thread::sleep(Duration::from_micros(20 * moment));
        child.kill().unwrap();
        child.wait().unwrap();
        // The one in the jail has ended when its end of the socket has.
        controller.wait_for_the_end();
        let (mut restored, _controller) = files.restore(&vm, &[]);
        let mut next = vec![0; 100];
        if restored.stdout.as_mut().unwrap().read_exact(&mut next).is_ok() {
            assert_eq!(next[0], said.last().unwrap().wrapping_add(1));
            assert_counts(&next);
            restored.kill().unwrap();
            restored.wait().unwrap();
            whole += 1;
        } else {
            let outcome = finish(restored);
            let words = ["is no snapshot", "is damaged", "--restore-memory: 0 bytes"];
            assert!(words.iter().any(|words| outcome.stderr.contains(words)), "{outcome:?}");
            cut += 1;
        }
        if whole > 1 && cut > 1 {
            break;
        }
    }
    assert!(whole > 0 && cut > 0, "{whole} whole, {cut} cut");
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
