//! The largest machines: as many processors as there may be, memory on both sides of 4 GiB. A file of its own: an
//! emulated host, with its one processor, needs a while.

use bulkhead_tests::{Images, World};

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn a_guest_has_32_processors() {
    let test = "a_guest_has_32_processors";
    let Some(world) = World::new(test) else { return };
    let Some(images) = Images::of(test, env!("CARGO_TARGET_TMPDIR")) else { return };
    let script = "nproc; grep -c ^cpu[0-9] /proc/stat; cat /sys/devices/system/cpu/online";
    let outcome = world.shell(&["--cpus", "32", "--memory", "512M"], &images.get("root"), script);
    outcome.assert(0, "32\n32\n0-31\n", "");
    world.assert_nothing_left();
}

/// The last GiB below 4 GiB belongs to devices: memory goes on above.
#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn memory_goes_on_above_the_devices() {
    let test = "memory_goes_on_above_the_devices";
    let Some(world) = World::new(test) else { return };
    let Some(images) = Images::of(test, env!("CARGO_TARGET_TMPDIR")) else { return };
    let script =
        "cat /sys/fs/cgroup/memory.max; awk '/MemTotal/ { print ($2 > 4194304) }' /proc/meminfo";
    let outcome = world.shell(&["--memory", "4G"], &images.get("root"), script);
    outcome.assert(0, "4294967296\n1\n", "");
    world.assert_nothing_left();
}
