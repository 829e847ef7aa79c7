//! First programs of guests that are not guest-init.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use crate::images::busybox_folder;
use crate::world::World;

/// The file `initramfs` of a world: busybox, the shell script `init`, and those of the kernel's modules that it names. Packed
/// by busybox's cpio.
pub fn busybox_initramfs(world: &World, init: &str) -> String {
    let root = world.path("initramfs-root");
    busybox_folder(&root);
    fs::create_dir(root.join("dev")).unwrap();
    fs::create_dir(root.join("proc")).unwrap();
    fs::write(root.join("init"), init).unwrap();
    fs::set_permissions(root.join("init"), fs::Permissions::from_mode(0o755)).unwrap();
    let mut names = String::from("init\nbin\nbin/busybox\ndev\nproc\n");
    // A kernel with these built in has no such files.
    let modules =
        fs::read_dir(world.kernel().with_file_name("modules")).into_iter().flatten().flatten();
    for module in modules {
        let name = module.file_name().into_string().unwrap();
        let name = name.split_once('-').map_or(name.as_str(), |(_, name)| name);
        if init.contains(name) {
            fs::copy(module.path(), root.join(name)).unwrap();
            names += &format!("{name}\n");
        }
    }
    let archive = fs::File::create(world.path("initramfs")).unwrap();
    let mut cpio = Command::new("busybox");
    cpio.args(["cpio", "-o", "-H", "newc"])
        .current_dir(&root)
        .stdin(Stdio::piped())
        .stdout(archive);
    let mut child = cpio.stderr(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(names.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    world.text("initramfs")
}
