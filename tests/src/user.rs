//! What an ordinary user of the host does, who has no rights there.

use std::fs;
use std::os::unix::fs::{chown, lchown};
use std::process::Command;

use crate::{World, busybox_folder, tool};

/// The user's number and their group's.
pub const USER: u32 = 1000;

/// Of the devices only KVM's counts, which belongs to a group that this user is in besides their own.
const SCRIPT: &str = "mkdir -p dev && mount -t tmpfs -o mode=755 tmpfs dev && mknod -m 666 dev/null c 1 3 && \
                      mknod -m 660 dev/kvm c 10 232 && chgrp 7777 dev/kvm && mount --move dev /dev && \
                      exec setpriv --reuid=1000 --regid=1000 --groups=7777 ./bulkhead \"$@\"";

/// What that takes.
pub const PROGRAMS_OF_A_USER: [&str; 5] = ["unshare", "setpriv", "mount", "mknod", "cp"];

impl World {
    /// Makes the world the user's, with all programs, a `kernel` and an `image` in its folder.
    pub fn give_to_user(&self) {
        busybox_folder(&self.path("image"));
        fs::copy(self.kernel(), self.path("kernel")).unwrap();
        // Not by `fs::copy`: a child that another test starts meanwhile would keep it from being run (open(2), ETXTBSY).
        let copy = "cp $(command -v bulkhead bulkhead-vmm guest-init) \"$0\"";
        tool("sh", &["-c", copy, &self.text("")]);
        for path in self.files() {
            lchown(path, Some(USER), Some(USER)).unwrap();
        }
        chown(self.path(""), Some(USER), Some(USER)).unwrap();
    }

    /// `bulkhead` with these arguments as the user. `before` comes first, as root.
    pub fn bulkhead_of_user(&self, before: &str, arguments: &[&str]) -> Command {
        let mut command = self.command("unshare");
        let script = [before, SCRIPT].concat();
        command.args(["--mount", "sh", "-c", &script, "sh"]).args(arguments);
        command
    }
}
