//! How containers end: by themselves, by signals, by the death of a program around them. Whatever it is, nothing is left.

use bulkhead_tests::{Images, Running, World, busybox_initramfs, eventually};
use rustix::process::{Pid, Signal, kill_process};

/// A world and an image, where a test can be run.
fn setting(test: &str) -> Option<(World, String)> {
    Some((World::new(test)?, Images::of(test, env!("CARGO_TARGET_TMPDIR"))?.get("root")))
}

/// A container whose process says that it runs, and then does so for long.
fn long(world: &World, image: &str) -> Running {
    let script = "echo running; sleep 1000";
    let mut running = Running::start(&mut world.run(&[], image, &["sh", "-c", script]), "");
    running.expect("running\n");
    running
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn a_process_ended_by_a_signal() {
    let Some((world, image)) = setting("a_process_ended_by_a_signal") else { return };
    // The first process of a PID namespace is spared its own signals, as in docker.
    let script = "sh -c 'echo so; kill -KILL $$'; exit $?";
    world.shell(&[], &image, script).assert(128 + 9, "so\n", "Killed\n");
    world.assert_nothing_left();
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn a_command_that_does_not_exist() {
    let Some((world, image)) = setting("a_command_that_does_not_exist") else { return };
    let outcome = Running::start(&mut world.run(&[], &image, &["no-such-command"]), "").wait();
    outcome.assert_refused(127, &["no-such-command", "not found in PATH"]);
    world.assert_nothing_left();
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn a_command_that_is_not_executable() {
    let Some((world, image)) = setting("a_command_that_is_not_executable") else { return };
    let outcome = Running::start(&mut world.run(&[], &image, &["/etc/passwd"]), "").wait();
    outcome.assert_refused(126, &["/etc/passwd", "can't be executed"]);
    world.assert_nothing_left();
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn signals_reach_the_process() {
    let Some((world, image)) = setting("signals_reach_the_process") else { return };
    let script = "
        trap 'echo got TERM' TERM
        trap 'echo got INT; exit 3' INT
        echo running
        while :; do sleep 0.1; done";
    let mut running = Running::start(&mut world.run(&[], &image, &["sh", "-c", script]), "");
    running.expect("running\n");
    running.signal(Signal::TERM);
    running.expect("got TERM\n");
    running.signal(Signal::INT);
    running.wait().assert(3, "got INT\n", "");
    world.assert_nothing_left();
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn a_signal_before_there_is_a_process() {
    let Some((world, image)) = setting("a_signal_before_there_is_a_process") else { return };
    let running = Running::start(&mut world.run(&[], &image, &["sh"]), "");
    assert!(eventually(|| world.processes().len() >= 2), "the VM has not started");
    running.signal(Signal::TERM);
    running.wait().assert_refused(128 + 15, &["interrupted by signal 15"]);
    world.assert_nothing_left();
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn bulkhead_killed_in_the_middle() {
    let Some((world, image)) = setting("bulkhead_killed_in_the_middle") else { return };
    let running = long(&world, &image);
    running.signal(Signal::KILL);
    running.wait().assert(-9, "", "");
    // Who is killed cannot remove a container with --rm: whoever looks next does.
    world.bulkhead(&["ps", "-a", "-q"], "").assert(0, "", "");
    world.assert_nothing_left();
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn the_vmm_killed_in_the_middle() {
    let Some((world, image)) = setting("the_vmm_killed_in_the_middle") else { return };
    let running = long(&world, &image);
    let vmm = Pid::from_raw(world.process("bulkhead-vmm") as i32).unwrap();
    kill_process(vmm, Signal::KILL).unwrap();
    running.wait().assert_refused(137, &["bulkhead-vmm was killed by signal 9"]);
    world.assert_nothing_left();
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn a_guest_that_never_gets_ready() {
    let Some((world, image)) = setting("a_guest_that_never_gets_ready") else { return };
    // Linux is up, and what it runs waits for something that does not come.
    let init = "#!/bin/busybox sh\necho waiting in vain\nexec /bin/busybox sleep 1000000\n";
    let initramfs = busybox_initramfs(&world, init);
    let flags = ["--read-only", "--initramfs", &initramfs];
    let words = [
        "the guest did not get ready: it stood still for 60 s",
        "its console ends with: ",
        "waiting in vain; --console shows more",
        "bulkhead check",
    ];
    let mut create = world.command("bulkhead");
    create.args(["create", "--name", "files", "--kernel"]).arg(world.kernel());
    let created = Running::start(create.args(flags).args([&image, "sh"]), "").wait();
    assert_eq!((created.status, created.stderr.as_str()), (0, ""));

    // Beside each other: each takes a minute.
    let in_foreground = Running::start(&mut world.run(&flags, &image, &["sh"]), "");
    let flags = [&["-d", "--name", "still"], &flags[..]].concat();
    let in_background = Running::start(&mut world.run_as_docker(&flags, &image, &["sh"]), "");
    let mut copy = world.command("bulkhead");
    let copied = Running::start(copy.args(["cp", "files:/etc/passwd", "-"]), "").wait();
    copied.assert_refused(1, &words);
    in_foreground.wait().assert_refused(1, &words);
    in_background.wait().assert_refused(1, &words);
    let format = "{{.State.Status}} {{.State.ExitCode}} {{.State.Error}}";
    let state = world.bulkhead(&["inspect", "--format", format, "still"], "").stdout;
    assert!(state.starts_with("exited 1 the guest did not get ready"), "{state}");
    world.bulkhead(&["rm", "still", "files"], "").assert(0, "still\nfiles\n", "");
    world.assert_nothing_left();
}
