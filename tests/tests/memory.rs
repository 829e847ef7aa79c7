//! How much memory a container has: what it asked for, whatever the kernel takes besides.

use bulkhead_tests::{Images, Running, World};
use rustix::process::Signal;

/// What these containers ask for.
const ASKED: &str = "128M";

/// Memory as four places tell it, and as it is: 100 MiB of it are filled.
#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn a_container_has_the_memory_that_it_asked_for() {
    let test = "a_container_has_the_memory_that_it_asked_for";
    let Some(world) = World::new(test) else { return };
    let Some(images) = Images::of(test, env!("CARGO_TARGET_TMPDIR")) else { return };
    let script = "
        cat /sys/fs/cgroup/memory.max
        awk '/MemTotal|MemAvailable/ { print $1, ($2 >= 128 * 1024) }' /proc/meminfo
        head -c 104857600 /dev/zero > /fill/file && wc -c < /fill/file
        grep ^oom_kill /sys/fs/cgroup/memory.events
        trap 'exit 4' TERM
        sleep 1000 & wait";
    let flags = ["--rm", "-i", "--name", "sized", "-m", ASKED, "--tmpfs", "/fill:size=110m"];
    let command = ["sh", "-c", script];
    let mut running =
        Running::start(&mut world.run_as_docker(&flags, &images.get("root"), &command), "");
    running.expect("134217728\nMemTotal: 1\nMemAvailable: 1\n104857600\noom_kill 0\n");

    let stats = ["stats", "--no-stream", "--format", "{{.MemUsage}}", "sized"];
    let stats = world.bulkhead(&stats, "").stdout;
    assert!(stats.ends_with(" / 128MiB\n"), "{stats}");
    let used = stats.split_once("MiB").and_then(|(used, _)| used.parse::<f64>().ok());
    assert!(used.is_some_and(|used| (100.0..128.0).contains(&used)), "{stats}");
    let inspected = world.bulkhead(&["inspect", "sized"], "").stdout;
    let inspected: serde_json::Value = serde_json::from_str(&inspected).unwrap();
    assert_eq!(inspected[0]["HostConfig"]["Memory"], 128 << 20);

    running.signal(Signal::TERM);
    running.wait().assert(4, "", "");
    world.assert_nothing_left();
}
