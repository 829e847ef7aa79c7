//! The largest machines: as many processors as there may be, memory on both sides of 4 GiB. A file of its own: an
//! emulated host, with its one processor, needs a while.

use std::thread::available_parallelism;

use bulkhead_tests::{HERE, Images, World, skip};

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn a_guest_has_8_processors() {
    let test = "a_guest_has_8_processors";
    let Some(world) = World::new(test) else { return };
    let Some(images) = Images::of(test, env!("CARGO_TARGET_TMPDIR")) else { return };
    check_processors(&world, &images, 8);
}

/// As many as there may be.
///
/// A processor that waits for a spinlock executes WFE, which KVM on Arm traps, so that the processor with the lock gets on where
/// the host has fewer of them (Arm DDI 0487, HCR_EL2.TWE). QEMU carries WFE out without a trap (`HELPER(wfe)`), so in an emulated
/// host, which has one processor, each of 31 that wait uses up its share of time first. Linux' load balancer lets them wait
/// for one another until its clock source is chosen: a start takes between half a minute and a quarter of an hour, by chance. There
/// the bare guest starts and stops all 32.
#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn a_guest_has_32_processors() {
    let test = "a_guest_has_32_processors";
    let Some(world) = World::new(test) else { return };
    let Some(images) = Images::of(test, env!("CARGO_TARGET_TMPDIR")) else { return };
    if HERE.architecture == "aarch64" && available_parallelism().is_ok_and(|count| count.get() == 1)
    {
        return skip(test, "an emulated Arm host does not trap WFE: a machine with EL2 runs it");
    }
    check_processors(&world, &images, 32);
}

fn check_processors(world: &World, images: &Images, count: usize) {
    let script = "nproc; grep -c ^cpu[0-9] /proc/stat; cat /sys/devices/system/cpu/online";
    let flags = ["--cpus", &count.to_string(), "--memory", "512M"];
    let outcome = world.shell(&flags, &images.get("root"), script);
    outcome.assert(0, &format!("{count}\n{count}\n0-{}\n", count - 1), "");
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
