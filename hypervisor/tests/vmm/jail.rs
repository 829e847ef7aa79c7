//! What a VM's process still has once it runs.

use std::fs;
use std::io::{PipeReader, Read};
use std::os::unix::process::CommandExt;
use std::process::Stdio;

use crate::guest::Code;
use crate::proc::{assert_locked_in, descriptors, field, has_ended, limits, read, state, until};
use crate::process::{Vm, is_root, kvm_is_there};
use crate::running::Running;
use crate::user::User;

#[test]
fn root_locks_its_vm_in() {
    if !kvm_is_there("root_locks_its_vm_in") || !is_root("root_locks_its_vm_in") {
        return;
    }
    let (vm, running) = Running::start("", &[], &[]);
    let (outer, inner) = (running.outer(), running.inner);
    assert_locked_in(inner);
    assert_eq!(limits(inner, "Max file size"), ["0", "0"], "it has no disk to write to");
    assert_eq!(limits(inner, "Max open files"), ["49", "49"]);
    // Nothing that was there before, and all that is there is known.
    let expected = [
        "/dev/null",
        "anon_inode:[eventfd]",
        "anon_inode:[eventpoll]",
        "anon_inode:[eventpoll]",
        "anon_inode:[signalfd]",
        "anon_inode:[timerfd]",
        "anon_inode:kvm-vcpu:0",
        "anon_inode:kvm-vm",
        "pipe",
        "pipe",
        "pipe",
    ];
    let found = descriptors(inner);
    let known = |name: &String| expected.contains(&name.as_str()) || name.contains("pidfd");
    assert!(found.iter().all(known), "{found:?}");
    assert!(found.len() <= 20, "{found:?}");
    // And outside nothing but what waiting takes: the guest may have said its words before that process had its name.
    until(|| field(outer, "Name").as_deref() == Some("bulkhead-jailer"));
    let found = descriptors(outer);
    assert!(found.len() == 3 && found.contains(&"pipe".to_owned()), "{found:?}");
    assert_eq!(running.end(), "");
    drop(vm);
}

#[test]
fn an_ordinary_user_does_too() {
    let test = "an_ordinary_user_does_too";
    if !kvm_is_there(test) || !is_root(test) {
        return;
    }
    let vm = Vm::new(&Code::new().print("go").forever().into_kernel());
    let anybody = User::new();
    let mut command = anybody.command(&vm);
    command.stdin(Stdio::null());
    let running = Running::spawn(&mut command);
    assert_locked_in(running.inner);
    let user = |who: &str| fs::read_link(format!("/proc/{who}/ns/user")).unwrap();
    assert_ne!(user(&running.inner.to_string()), user("self"));
    for map in ["uid_map", "gid_map"] {
        let map = read(running.inner, map).unwrap();
        assert_eq!(map.split_whitespace().collect::<Vec<_>>(), ["65534", "65534", "1"]);
    }
    assert_eq!(read(running.inner, "setgroups").unwrap(), "deny\n");
    assert_eq!(field(running.inner, "Uid").unwrap(), "65534 65534 65534 65534");
    assert_eq!(running.end(), "");
}

#[test]
fn root_can_have_its_vm_run_as_another_user() {
    let test = "root_can_have_its_vm_run_as_another_user";
    if !kvm_is_there(test) || !is_root(test) {
        return;
    }
    let (_vm, running) = Running::start("", &["--uid", "100007"], &["setpriv", "--groups=7,8"]);
    assert_locked_in(running.inner);
    let expected = "100007 100007 100007 100007";
    for identity in ["Uid", "Gid"] {
        assert_eq!(field(running.inner, identity).unwrap(), expected);
    }
    assert_eq!(field(running.inner, "Groups").unwrap(), "");
    // The change of user has not undone it.
    running.kill(running.outer(), libc::SIGKILL);
    until(|| has_ended(running.inner));
    assert_eq!(running.finish().status, -libc::SIGKILL);
}

#[test]
fn a_host_that_forbids_namespaces_is_named() {
    let test = "a_host_that_forbids_namespaces_is_named";
    if !kvm_is_there(test) || !is_root(test) {
        return;
    }
    // No process in this user namespace may make a mount namespace, as where user.max_user_namespaces is 0.
    let script = "echo 0 > /proc/sys/user/max_mnt_namespaces && exec \"$@\"";
    let before = ["unshare", "--user", "--map-root-user", "sh", "-c", script, "sh"];
    let (_vm, running) = Running::start("", &[], &before);
    let inner = running.inner;
    let namespace = |who: &str, kind| fs::read_link(format!("/proc/{who}/ns/{kind}")).unwrap();
    assert_eq!(namespace(&inner.to_string(), "mnt"), namespace("self", "mnt"));
    assert_eq!(field(inner, "NoNewPrivs").unwrap(), "1");
    assert_eq!(field(inner, "CapEff").unwrap(), "0000000000000000");
    assert_eq!(read(inner, "environ").unwrap().trim_matches('\0'), "");
    let said = running.end();
    assert!(
        said.starts_with("bulkhead-vmm: warn: the jail is incomplete: no namespaces"),
        "{said}"
    );
    assert!(said.contains("what allows it is") && said.lines().count() == 1, "{said}");
}

#[test]
fn without_a_jail_there_is_a_warning() {
    if !kvm_is_there("without_a_jail_there_is_a_warning") {
        return;
    }
    let (_vm, running) = Running::start("", &["--no-jail"], &[]);
    let root = fs::read_link(format!("/proc/{}/root", running.inner)).unwrap();
    assert_eq!(root.to_str(), Some("/"));
    let said = running.end();
    assert!(said.contains("warn: --no-jail: ") && said.lines().count() == 1, "{said}");
}

#[test]
fn neither_process_outlives_the_other() {
    if !kvm_is_there("neither_process_outlives_the_other") {
        return;
    }
    let (_vm, running) = Running::start("", &[], &[]);
    running.kill(running.outer(), libc::SIGKILL);
    until(|| has_ended(running.inner));
    assert_eq!(running.finish().status, -libc::SIGKILL);
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("v");
    let vsock = format!(r#", "vsock": {{"guest_cid": 3, "uds_path": {socket:?}}}"#);
    let (_vm, running) = Running::start(&vsock, &[], &[]);
    assert!(socket.exists());
    running.kill(running.inner, libc::SIGKILL);
    let outcome = running.finish();
    assert_eq!((outcome.status, &*outcome.stderr), (-libc::SIGKILL, ""));
    assert!(!socket.exists());
}

#[test]
fn a_vm_stands_still_until_it_is_told_to_go_on_or_to_end() {
    if !kvm_is_there("a_vm_stands_still_until_it_is_told_to_go_on_or_to_end") {
        return;
    }
    let (_vm, running) = Running::start("", &[], &[]);
    let outer = running.outer();
    running.kill(outer, libc::SIGTSTP);
    until(|| state(running.inner) == Some('T'));
    running.kill(outer, libc::SIGCONT);
    until(|| state(running.inner) != Some('T'));
    running.kill(outer, libc::SIGTSTP);
    until(|| state(running.inner) == Some('T'));
    assert_eq!(running.end(), "");
}

#[test]
fn what_was_left_open_is_closed() {
    if !kvm_is_there("what_was_left_open_is_closed") {
        return;
    }
    let (mut reader, writer): (PipeReader, _) = std::io::pipe().unwrap();
    let vm = Vm::new(&Code::new().print("go").forever().into_kernel());
    let mut command = vm.command();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let left_open = move || {
        // SAFETY: both numbers are descriptors of this process, or none yet.
        match unsafe { libc::dup2(std::os::fd::AsRawFd::as_raw_fd(&writer), 77) } {
            77 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        }
    };
    // SAFETY: between fork and exec the closure only makes a system call.
    unsafe { command.pre_exec(left_open) };
    let running = Running::spawn(&mut command);
    // The closure has this test's end of it.
    drop(command);
    assert_eq!(reader.read(&mut [0]).unwrap(), 0);
    running.end();
}

#[test]
fn a_log_that_grows_has_no_limit_and_a_disk_is_one() {
    if !kvm_is_there("a_log_that_grows_has_no_limit_and_a_disk_is_one") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("disk");
    fs::File::create(&disk).unwrap().set_len(3 << 20).unwrap();
    let drive = format!(
        r#", "drives": [{{"drive_id": "d", "path_on_host": {disk:?}, "is_root_device": false}}]"#
    );
    let (_vm, running) = Running::start(&drive, &[], &[]);
    assert_eq!(limits(running.inner, "Max file size"), ["3145728", "3145728"]);
    running.end();
    let log = folder.path().join("log");
    let logger = format!(r#"{drive}, "logger": {{"log_path": {log:?}}}"#);
    let (_vm, running) = Running::start(&logger, &[], &[]);
    assert_eq!(limits(running.inner, "Max file size")[1], "unlimited");
    running.end();
}
