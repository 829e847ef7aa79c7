//! What somebody who knows docker does with a container that runs: restart it, look at its processes, take its files.

use bulkhead_tests::{Images, Running, World, eventually};

/// A world and an image, where a test can be run.
fn setting(test: &str) -> Option<(World, String)> {
    let world = World::new(test)?;
    let images = Images::of(test, env!("CARGO_TARGET_TMPDIR"))?;
    Some((world, images.get("layout#plain")))
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn a_container_is_restarted_looked_at_and_exported() {
    let test = "a_container_is_restarted_looked_at_and_exported";
    let Some((world, image)) = setting(test) else { return };
    let on = |arguments: &[&str]| world.bulkhead(arguments, "");
    let script = "trap 'echo term; exit 0' TERM; busybox ln -sf busybox /bin/ps
        echo run >> /runs; wc -l < /runs; while :; do sleep 0.1; done";
    let flags = ["-d", "--name", "web", "--tty=false"];
    let mut run = world.run_as_docker(&flags, &image, &["sh", "-c", script]);
    assert_eq!(Running::start(&mut run, "").wait().status, 0);
    let says = |line: &str| eventually(|| on(&["logs", "--tail", "1", "web"]).stdout == line);
    assert!(says("1\n"));
    // It keeps what it wrote; one that does not run is started.
    on(&["restart", "-t", "-1", "web"]).assert(0, "web\n", "");
    assert!(says("2\n"));
    on(&["stop", "web"]).assert(0, "web\n", "");
    on(&["restart", "web"]).assert(0, "web\n", "");
    assert!(says("3\n"));

    let processes = on(&["top", "web"]).stdout;
    assert!(processes.contains("PID") && processes.contains("trap"), "{processes}");
    let chosen = on(&["top", "web", "-o", "pid,args"]).stdout;
    assert!(chosen.lines().nth(1).is_some_and(|line| line.trim().starts_with("1 sh")), "{chosen}");

    let archive = world.path("web.tar");
    on(&["export", "-o", archive.to_str().unwrap(), "web"]).assert(0, "", "");
    let list = std::process::Command::new("tar").arg("-tf").arg(&archive).output().unwrap();
    let list = String::from_utf8(list.stdout).unwrap();
    let has = |name: &str| list.lines().any(|line| line.trim_start_matches("./") == name);
    assert!(has("runs") && has("bin/busybox") && !has("proc/1/status"), "{list}");
    // The container's own is no file of it.
    assert!(on(&["exec", "web", "cat", "/etc/hosts"]).stdout.contains("localhost"));
    let mut hosts = std::process::Command::new("tar");
    hosts.args(["-xO", "--wildcards", "*etc/hosts", "-f"]).arg(&archive);
    let hosts = hosts.output().unwrap();
    assert!(hosts.status.success() && hosts.stdout.is_empty(), "{hosts:?}");

    on(&["rm", "-fv", "web"]).assert(0, "web\n", "");
    // One that removes itself is not there to be started.
    let flags = ["-d", "--name", "once", "--rm"];
    let mut run = world.run_as_docker(&flags, &image, &["sh", "-c", "sleep 1000"]);
    assert_eq!(Running::start(&mut run, "").wait().status, 0);
    on(&["restart", "once"]).assert_refused(1, &["once", "--rm"]);
    on(&["kill", "once"]).assert(0, "once\n", "");
    assert!(eventually(|| on(&["ps", "-aq"]).stdout.is_empty()));
    world.assert_nothing_left();
}
