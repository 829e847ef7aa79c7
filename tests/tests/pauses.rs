//! What is asked of a container while it is being paused.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use bulkhead_tests::{Images, Running, World};

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn a_container_goes_on_though_processes_begin_while_it_is_paused() {
    let test = "a_container_goes_on_though_processes_begin_while_it_is_paused";
    let Some(world) = World::new(test) else { return };
    let Some(images) = Images::of(test, env!("CARGO_TARGET_TMPDIR")) else { return };
    let command = ["sh", "-c", "echo here; while :; do sleep 1; done"];
    let run = &mut world.run(&["--name", "web"], &images.get("root"), &command);
    let mut running = Running::start(run, "");
    running.expect("here\n");
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !is_over.load(Ordering::SeqCst) {
                    let exec = world.bulkhead(&["exec", "web", "busybox", "true"], "");
                    assert!(exec.status == 0 || exec.stderr.contains("paused"), "{exec:?}");
                }
            });
        }
        let pauses = || {
            for _ in 0..8 {
                for turn in ["pause", "unpause"] {
                    world.bulkhead(&[turn, "web"], "").assert(0, "web\n", "");
                }
            }
        };
        // The others end, whatever comes of it.
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(pauses));
        is_over.store(true, Ordering::SeqCst);
        result.unwrap();
    });
    world.bulkhead(&["exec", "web", "busybox", "true"], "").assert(0, "", "");
    world.bulkhead(&["kill", "web"], "").assert(0, "web\n", "");
    assert_eq!(running.wait().status, 137);
    world.assert_nothing_left();
}
