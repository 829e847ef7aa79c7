//! What a VMM, or who starts it, makes on the host.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::Path;

use bulkhead_tests::{Running, World, busybox_folder};

/// Firecracker's jailer, as root, copied its program into a folder that another user could have prepared, and followed a link
/// there to any file of the host's. Nothing is copied for our jail: it is an empty file system in the VMM's own mounts. What
/// *is* made, the run's folder and its sockets, is made in no folder of somebody else's, and in the place of no link.
#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn cve_2026_1386_a_link_where_a_folder_or_socket_is_to_be_is_not_followed() {
    let test = "cve_2026_1386_a_link_where_a_folder_or_socket_is_to_be_is_not_followed";
    let Some(world) = World::new(test) else { return };
    busybox_folder(&world.path("image"));
    // Nobody's run, as it seems, which the next one would sweep away.
    let victim = world.path("victim");
    fs::DirBuilder::new().mode(0o700).create(&victim).unwrap();
    fs::create_dir(victim.join("run-dead")).unwrap();
    fs::write(victim.join("run-dead/file"), "kept").unwrap();
    symlink(&victim, world.path("run/bulkhead")).unwrap();
    world.shell(&[], &world.text("image"), "echo never").assert_refused(1, &["run/bulkhead"]);
    assert_eq!(fs::read(victim.join("run-dead/file")).unwrap(), b"kept");
    assert_eq!(fs::read_dir(&victim).unwrap().count(), 1);
    fs::remove_file(world.path("run/bulkhead")).unwrap();

    // The VMM alone, whose socket would be made where a link leads to.
    let (link, target) = (world.path("socket"), world.path("elsewhere"));
    symlink(&target, &link).unwrap();
    let configuration = configuration(world.kernel(), &link);
    fs::write(world.path("vm.json"), configuration).unwrap();
    let mut vmm = world.command("bulkhead-vmm");
    vmm.args(["--no-api", "--config-file", "vm.json"]);
    let outcome = Running::start(&mut vmm, "").wait();
    assert_eq!((outcome.status, outcome.stdout.as_str()), (1, ""), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("vsock.uds_path"), "{}", outcome.stderr);
    assert!(!target.exists());
    assert_eq!(fs::read_link(link).unwrap(), target);
    world.assert_nothing_left();
}

/// Of a VM that needs no more.
fn configuration(kernel: &Path, socket: &Path) -> String {
    format!(
        r#"{{"boot-source": {{"kernel_image_path": {kernel:?}}},
            "machine-config": {{"vcpu_count": 1, "mem_size_mib": 128}},
            "vsock": {{"guest_cid": 3, "uds_path": {socket:?}}}}}"#
    )
}
