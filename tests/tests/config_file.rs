//! One configuration file, as Firecracker's own tools write it, starts `bulkhead-vmm`: the names, the defaults spelled
//! out, the fields that are switched off.

use std::fs;
use std::io::Write;

use bulkhead_tests::{HERE, Running, World, busybox_initramfs, have};
use serde_json::json;

/// The guest's first program: says what the configuration file gave it, on the serial port, and resets as Firecracker's
/// guests do.
const INIT: &str = "#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t proc proc /proc
/bin/busybox insmod /virtio_mmio.ko; /bin/busybox insmod /virtio_blk.ko
/bin/busybox sleep 1
{
/bin/busybox echo
/bin/busybox nproc
/bin/busybox head -c 18 /dev/vda
/bin/busybox awk '/MemTotal/ { print ($2 > 80000 && $2 < 131072) }' /proc/meminfo
} > /dev/console 2>&1
/bin/busybox reboot -f
";

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn firecrackers_configuration_file_starts_our_vmm() {
    let test = "firecrackers_configuration_file_starts_our_vmm";
    if !have(test, &["busybox"]) {
        return;
    }
    let Some(world) = World::new(test) else { return };
    busybox_initramfs(&world, INIT);
    let disk = fs::File::create(world.path("disk")).unwrap();
    (&disk).write_all(b"the disk's first\n\n").unwrap();
    disk.set_len(1 << 20).unwrap();
    let config = json!({
        "boot-source": {
            "kernel_image_path": world.kernel(),
            "initrd_path": world.path("initramfs"),
            "boot_args": format!("console={} reboot=k panic=1 pci=off quiet loglevel=1", HERE.console),
        },
        "drives": [{
            "drive_id": "data", "partuuid": null, "is_root_device": false, "cache_type": "Unsafe",
            "is_read_only": false, "path_on_host": world.path("disk"), "io_engine": "Sync", "rate_limiter": null,
            "socket": null,
        }],
        "machine-config": {
            "vcpu_count": 1, "mem_size_mib": 128, "smt": false, "track_dirty_pages": false, "huge_pages": "None",
        },
        "cpu-config": null, "balloon": null, "network-interfaces": [], "metrics": null, "mmds-config": null,
        "vsock": { "guest_cid": 3, "uds_path": world.path("run/v.sock") },
        "logger": { "log_path": world.path("log"), "level": "Info", "show_level": true, "show_log_origin": false },
        "entropy": null,
    });
    fs::write(world.path("vm.json"), config.to_string()).unwrap();
    let mut vmm = world.command("bulkhead-vmm");
    let outcome =
        Running::start(vmm.args(["--no-api", "--config-file", "vm.json", "--id", "one"]), "")
            .wait();
    let console = outcome.stdout.replace('\r', "");
    assert!(console.contains("\n1\nthe disk's first\n\n1\n"), "{outcome:?}");
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
    assert!(!world.path("run/v.sock").exists(), "the socket is left");
    assert!(fs::read_to_string(world.path("log")).unwrap().contains("reset"));
    world.assert_nothing_left();
}
