//! Machines that cannot be: one line that names the thing and what would be right, status 2 for wrong usage
//! and 1 for the rest, and nothing left. None of these gets as far as a guest.

use std::fs;
use std::process::Command;

use bulkhead_tests::{HERE, Running, World, busybox_folder, have, is_root, skip};

/// A world with an image that is good, so that something else is to blame.
fn world(test: &str) -> Option<World> {
    let world = World::new(test)?;
    busybox_folder(&world.path("image"));
    Some(world)
}

#[track_caller]
fn refused(world: &World, command: &mut Command, status: i32, words: &[&str]) {
    Running::start(command, "").wait().assert_refused(status, words);
    world.assert_nothing_left();
}

#[test]
fn sizes_that_no_machine_has() {
    let Some(world) = world("sizes_that_no_machine_has") else { return };
    let cases: [(&[&str], &str); 6] = [
        (&["--cpus", "0"], "'0' for '--cpus <N>': a virtual machine has 1 to 32"),
        (&["--cpus", "33"], "1 to 32"),
        (&["--cpus", "many"], "'many'"),
        (&["--memory", "63M"], "64M"),
        (&["--memory", "lots"], "'lots' is not a size"),
        (&["--scratch", "1M"], "16M"),
    ];
    for (flags, problem) in cases {
        refused(&world, &mut world.run(flags, "image", &["sh"]), 2, &[flags[0], problem]);
    }
}

#[test]
fn a_command_line_without_sense() {
    let Some(world) = world("a_command_line_without_sense") else { return };
    let cases: [(&[&str], &str); 5] = [
        (&[], "no command"),
        (&["fly"], "'fly'"),
        (&["run"], "IMAGE"),
        (&["run", "--colour", "image"], "'--colour'"),
        (&["run", "image"], "image names no command"),
    ];
    for (arguments, problem) in cases {
        let mut command = world.command("bulkhead");
        // A kernel that is there, for the last of them, which is found out late.
        if arguments.len() > 1 {
            command.args(["run", "--kernel"]).arg(world.kernel()).args(&arguments[1..]);
        } else {
            command.args(arguments);
        }
        refused(&world, &mut command, 2, &[problem]);
    }
}

#[test]
fn bundles_with_a_field_that_nobody_knows() {
    let Some(world) = world("bundles_with_a_field_that_nobody_knows") else { return };
    world.prepare("image");
    let text = fs::read_to_string(world.path("bundle")).unwrap();
    let mut bundle: serde_json::Value = serde_json::from_str(&text).unwrap();
    bundle["vm"]["machine-config"]["colour"] = "red".into();
    fs::write(world.path("bundle"), bundle.to_string()).unwrap();
    let mut run = world.command("bulkhead");
    refused(
        &world,
        run.args(["run", "--bundle", "bundle"]),
        1,
        &["bundle", "unknown field `colour`"],
    );
}

#[test]
fn configurations_with_a_field_that_nobody_knows() {
    let Some(world) = world("configurations_with_a_field_that_nobody_knows") else { return };
    let config = serde_json::json!({
        "boot-source": { "kernel_image_path": world.kernel(), "colour": "red" },
    });
    fs::write(world.path("vm.json"), config.to_string()).unwrap();
    let mut vmm = world.command("bulkhead-vmm");
    vmm.args(["--no-api", "--config-file", "vm.json"]);
    let words = ["vm.json: boot-source.colour: unknown field", "`kernel_image_path`"];
    refused(&world, &mut vmm, 2, &words);
}

#[test]
fn kvm_is_for_others() {
    let test = "kvm_is_for_others";
    if !is_root(test) || !have(test, &["unshare", "setpriv", "mount"]) {
        return;
    }
    if !std::path::Path::new("/dev/kvm").exists() {
        return skip(test, "/dev/kvm does not exist");
    }
    let Some(world) = world(test) else { return };
    let nobody = 65534;
    for folder in ["", "cache", "run", "tmp"] {
        std::os::unix::fs::chown(world.path(folder), Some(nobody), Some(nobody)).unwrap();
    }
    // Programs and a kernel that anybody may read, wherever the build has put them.
    fs::write(world.path("kernel"), (HERE.kernel)(0x1000)).unwrap();
    fs::write(world.path("kvm"), "").unwrap();
    let mut run = world.command("unshare");
    // In a mount namespace of its own, /dev/kvm is a file that is closed to all but root.
    let script = "cp $(command -v bulkhead bulkhead-vmm guest-init) . && chmod 0 kvm && mount --bind kvm /dev/kvm && \
                  exec setpriv --reuid=65534 --regid=65534 --clear-groups ./bulkhead run --kernel kernel image -- sh";
    refused(
        &world,
        run.args(["--mount", "sh", "-c", script]),
        1,
        &["no permission on /dev/kvm", "usermod -aG kvm"],
    );
}

#[test]
fn a_host_without_kvm() {
    let test = "a_host_without_kvm";
    if !is_root(test) || !have(test, &["unshare", "mount", "mknod"]) {
        return;
    }
    let Some(world) = world(test) else { return };
    fs::write(world.path("kernel"), (HERE.kernel)(0x1000)).unwrap();
    // In a mount namespace of its own, /dev has nothing but null.
    let script = "mkdir dev && mount -t tmpfs tmpfs dev && mknod -m 666 dev/null c 1 3 && mount --move dev /dev && \
                  exec bulkhead run --kernel kernel image -- sh";
    let mut run = world.command("unshare");
    run.args(["--mount", "sh", "-c", script]);
    refused(&world, &mut run, 1, &["/dev/kvm does not exist: "]);
}
