//! Bad input: one line on stderr that says what is wrong, and no VM.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::guest::{Code, unbootable};
use crate::process::{Outcome, Vm, kvm_is_there};
use crate::running::Running;

/// One line, with these words in it.
fn assert_refused(outcome: &Outcome, status: i32, words: &[&str]) {
    let line = outcome.stderr.strip_suffix('\n').unwrap_or_default();
    assert!(line.starts_with("bulkhead-vmm: ") && !line.contains('\n'), "{outcome:?}");
    assert!(words.iter().all(|word| line.contains(word)), "{line}");
    assert_eq!(outcome.status, status, "{line}");
}

fn guest() -> Vm {
    Vm::new(&Code::new().print("never\n").power_off().into_kernel())
}

#[test]
fn an_unknown_field_is_named_with_its_path() {
    let vm = guest();
    vm.configure(r#", "drives": [{"drive_id": "a", "is_root_device": false, "path_on_host": "x", "foo": 1}]"#);
    assert_refused(&vm.run(b""), 2, &["vm.json: drives[0].foo: unknown field", "`path_on_host`"]);
}

#[test]
fn what_firecracker_has_and_we_not_is_said_to_be_so() {
    let vm = guest();
    vm.configure(r#", "balloon": {"amount_mib": 1, "deflate_on_oom": true}"#);
    assert_refused(&vm.run(b""), 2, &["vm.json: balloon: not supported yet"]);
}

#[test]
fn a_wrong_command_line_ends_with_status_2() {
    let vm = guest().argument("--frobnicate");
    assert_refused(&vm.run(b""), 2, &["--frobnicate", "--help"]);
}

#[test]
fn kernels_that_cannot_be_booted_are_refused() {
    for (kernel, words) in unbootable() {
        let words = [&["kernel: "], words].concat();
        assert_refused(&Vm::new(&kernel).run(b""), 1, &words);
    }
    let vm = guest();
    std::fs::remove_file(vm.kernel()).unwrap();
    assert_refused(&vm.run(b""), 1, &["kernel: No such file"]);
}

#[test]
fn an_initramfs_that_does_not_fit_is_refused() {
    let vm = guest();
    let initrd = vm.folder().join("initrd");
    std::fs::File::create(&initrd).unwrap().set_len(16 << 20).unwrap();
    let kernel = vm.kernel();
    vm.write(&format!(
        r#"{{"boot-source": {{"kernel_image_path": {kernel:?}, "initrd_path": {initrd:?}}},
            "machine-config": {{"vcpu_count": 1, "mem_size_mib": 16}}}}"#
    ));
    assert_refused(&vm.run(b""), 1, &["initrd: RAM is too small"]);
}

#[test]
fn a_disk_belongs_to_one_writer() {
    if !kvm_is_there("a_disk_belongs_to_one_writer") {
        return;
    }
    let disk = tempfile::NamedTempFile::new().unwrap();
    disk.as_file().set_len(1 << 20).unwrap();
    let drive = format!(
        r#", "drives": [{{"drive_id": "data", "path_on_host": {:?}, "is_root_device": false}}]"#,
        disk.path()
    );
    let (_first, running) = Running::start(&drive, &[], &[]);
    let second = guest();
    second.configure(&drive);
    assert_refused(&second.run(b""), 1, &["drive \"data\"", "locked by another process"]);
    // A VM that is killed leaves no lock behind: the process that has the disk, whose end the other one waits for.
    running.kill(running.inner, libc::SIGKILL);
    running.finish();
    assert_eq!(second.run(b"").stdout, "never\n");
}

#[test]
fn the_probe_answers_in_one_line() {
    let output = Command::new(env!("CARGO_BIN_EXE_bulkhead-vmm")).arg("--probe").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text.strip_suffix('\n').unwrap();
    let known = ["kvm: linux", "kvm: slow: ", "kvm: bare: ", "kvm: none: "];
    assert!(known.iter().any(|start| line.starts_with(start)) && !line.contains('\n'), "{text}");
    assert!(output.status.success());
}

#[test]
fn no_permission_on_kvm_comes_with_the_remedy() {
    // As nobody, and with a /dev/kvm of root's: a private one, whatever the machine's allows.
    const SCRIPT: &str = r#"set -e
        mount -t tmpfs -o mode=755 tmpfs "$1"
        mknod -m 600 "$1/kvm" c 10 232
        mount --bind "$1/kvm" /dev/kvm
        exec setpriv --reuid 65534 --regid 65534 --clear-groups "$2" --probe"#;
    // SAFETY: the call has no conditions.
    let root = unsafe { libc::geteuid() } == 0;
    if !root || !Path::new("/dev/kvm").exists() {
        println!("SKIPPED: no_permission_on_kvm_comes_with_the_remedy: needs root and a /dev/kvm");
        return;
    }
    // The build folder may be out of nobody's reach.
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = folder.path().join("bulkhead-vmm");
    // Not by `fs::copy`: what another test forks meanwhile would hold the file open for writing, and the start below
    // would fail with ETXTBSY.
    let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_bulkhead-vmm")).arg(&program).status();
    assert!(copied.unwrap().success());
    let devices = folder.path().join("dev");
    fs::create_dir(&devices).unwrap();
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", SCRIPT, "sh"]).arg(&devices).arg(&program);
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("kvm: none: no permission on /dev/kvm: "), "{text}");
    assert!(text.contains("usermod -aG kvm") && text.lines().count() == 1, "{text}");
}
