//! Guests that are saved and restored while they work, again and again, and come to the same end.

mod vm;

use std::fs;
use std::time::{Duration, Instant};

use bulkhead_tests::{HERE, World, busybox_initramfs, have};
use serde_json::{Value, json};
use vm::Vm;

/// What a guest's first program does: as many workers as processors reckon on, each with pauses and with a disk's help, and
/// say what it came to. A worker's disk is a mebibyte, from which each step reads and to which it writes.
const INIT: &str = "#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
insmod /virtio_mmio.ko 2>/dev/null; insmod /virtio_blk.ko 2>/dev/null
while [ ! -b /dev/vda ]; do sleep 0.1; done
work() {
    sum=$1
    for step in $(seq STEPS); do
        sum=$(echo $sum $step | md5sum)
        echo $sum | dd of=/dev/vda bs=4096 seek=$(($1 * 256 + step)) conv=notrunc 2>/dev/null
        sleep 0.01
        read sum rest <<END
$(dd if=/dev/vda bs=4096 skip=$(($1 * 256 + step)) count=1 2>/dev/null | head -n 1)
END
    done
    echo $sum > /sum$1
}
echo begun > /dev/console
for worker in $(seq $(nproc)); do work $worker & done
wait
sync
echo 3 > /proc/sys/vm/drop_caches
cat /sum* > /dev/console
dd if=/dev/vda bs=1M 2>/dev/null | md5sum > /dev/console
echo done > /dev/console
poweroff -f
";

/// How many steps each worker takes.
const STEPS: usize = 60;

/// How often a guest is saved.
const SAVES: u32 = 12;

fn machine(vcpus: u32, mib: u64) -> Value {
    json!({ "vcpu_count": vcpus, "mem_size_mib": mib })
}

/// Waits for a moment that nobody has chosen: a fixed multiple of the golden ratio into some milliseconds.
fn a_moment(number: u32, longest: Duration) {
    std::thread::sleep(longest.mul_f64((f64::from(number) * 0.618_034).fract()));
}

/// What a Linux guest of so many processors says between `begun` and `done`, saved so often.
fn reckon(world: &World, vcpus: u32, saves: u32, longest: Duration) -> String {
    let disk = world.path("disk");
    fs::write(&disk, vec![0; (vcpus as usize + 1) << 20]).unwrap();
    let config = json!({
        "boot-source": {
            "kernel_image_path": world.kernel(), "initrd_path": world.path("initramfs"),
            "boot_args": format!("console={} reboot=k panic=-1 pci=off quiet loglevel=1", HERE.console),
        },
        "drives": [{ "drive_id": "data", "is_root_device": false, "path_on_host": disk }],
        "vsock": { "guest_cid": 3, "uds_path": world.path("run/v.sock") },
        "entropy": {},
        "machine-config": machine(vcpus, 128),
    });
    let mut vm = Vm::boot(world, &config);
    vm.read_until("begun");
    let mut saved = 0;
    while saved < saves && !vm.has_said("done") {
        a_moment(saved, longest);
        vm = vm.through_a_snapshot(world);
        saved += 1;
    }
    let console = vm.finish();
    let (_, sums) = console.split_once("begun\n").unwrap_or_else(|| panic!("{console}"));
    let (sums, _) = sums.split_once("done\n").unwrap_or_else(|| panic!("{console}"));
    println!("{vcpus} vCPUs, saved {saved} times");
    sums.to_owned()
}

fn a_linux_guest_comes_to_the_same_end(test: &str, vcpus: u32) {
    if !have(test, &["busybox"]) {
        return;
    }
    let Some(world) = World::new(test) else { return };
    busybox_initramfs(&world, &INIT.replace("STEPS", &STEPS.to_string()));
    let began = Instant::now();
    let expected = reckon(&world, vcpus, 0, Duration::ZERO);
    let took = began.elapsed();
    assert_eq!(expected.lines().count(), vcpus as usize + 1, "{expected}");
    // It is saved over and over from its beginning to its end, whatever that takes here.
    let found = reckon(&world, vcpus, SAVES, took / SAVES);
    assert_eq!(found, expected);
    world.assert_nothing_left();
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn linux_on_one_processor_comes_to_the_same_end() {
    a_linux_guest_comes_to_the_same_end("linux_on_one_processor_comes_to_the_same_end", 1);
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn linux_on_four_processors_comes_to_the_same_end() {
    a_linux_guest_comes_to_the_same_end("linux_on_four_processors_comes_to_the_same_end", 4);
}

/// Processors that wake each other in a ring: an interrupt that is lost stops them for good.
fn no_interrupt_is_lost(test: &str, vcpus: u32) {
    let Some(world) = World::new(test) else { return };
    let Some(kernel) = world.bare_guest(test) else { return };
    let rounds = 400;
    let config = json!({
        "boot-source": {
            "kernel_image_path": kernel,
            "boot_args": format!("storm={rounds} processors={vcpus} loud"),
        },
        "machine-config": machine(vcpus, 64),
    });
    let mut vm = Vm::boot(&world, &config);
    vm.read_until("bare-guest: storms");
    let mut saved = 0;
    while saved < 50 && !vm.has_ended() {
        a_moment(saved, Duration::from_millis(4));
        vm = vm.through_a_snapshot(&world);
        saved += 1;
    }
    let console = vm.finish();
    let woken = console.matches('.').count();
    assert!(woken >= rounds, "woken {woken} times: {console}");
    assert!(!console.contains("FAIL"), "{console}");
    println!("{vcpus} vCPUs, saved {saved} times");
    world.assert_nothing_left();
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn one_processor_that_wakes_itself_loses_no_interrupt() {
    no_interrupt_is_lost("one_processor_that_wakes_itself_loses_no_interrupt", 1);
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn four_processors_that_wake_each_other_lose_no_interrupt() {
    no_interrupt_is_lost("four_processors_that_wake_each_other_lose_no_interrupt", 4);
}
