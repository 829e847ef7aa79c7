//! A user without rights, who starts VMs.

use std::os::unix::fs::chown;
use std::process::{Command, Stdio};

use crate::process::Vm;

/// Who is nobody else on this machine, and in no group but 7777 besides their own.
const NUMBER: u32 = 65534;

/// Has a program of their own: the one that is tested may lie in a folder that they can't reach.
pub struct User {
    folder: tempfile::TempDir,
}

impl User {
    /// Makes them. For root only.
    pub fn new() -> User {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("bulkhead-vmm");
        // Not by `fs::copy`, as in `refused.rs`.
        let copied =
            Command::new("cp").arg(env!("CARGO_BIN_EXE_bulkhead-vmm")).arg(&program).status();
        assert!(copied.unwrap().success());
        std::fs::create_dir(folder.path().join("dev")).unwrap();
        chown(folder.path(), Some(NUMBER), Some(NUMBER)).unwrap();
        User { folder }
    }

    /// What starts this VM as this user, whose all its files become.
    pub fn command(&self, vm: &Vm) -> Command {
        let files = std::fs::read_dir(vm.folder()).unwrap().map(|entry| entry.unwrap().path());
        for path in files.chain([vm.folder().to_owned()]) {
            chown(path, Some(NUMBER), Some(NUMBER)).unwrap();
        }
        // In a mount namespace of its own /dev/kvm is a group's that this user is in.
        let mut command = Command::new("unshare");
        let script = "mount -t tmpfs -o mode=755 tmpfs $1/dev && mknod -m 666 $1/dev/null c 1 3 && \
                      mknod -m 660 $1/dev/kvm c 10 232 && chgrp 7777 $1/dev/kvm && mount --move $1/dev /dev && \
                      exec setpriv --reuid=65534 --regid=65534 --groups=7777 $1/bulkhead-vmm --config-file $2";
        command.args(["--mount", "sh", "-c", script, "sh"]).arg(self.folder.path());
        command.arg(vm.folder().join("vm.json"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}
