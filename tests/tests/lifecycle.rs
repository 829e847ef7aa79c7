//! Containers that live in the background: every command on them, and what is left when anything is killed.

use std::fs;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bulkhead_tests::{HERE, Images, JAILER, Running, World, eventually, kill, signal};
use rustix::process::Signal;

/// A world and an image, where a test can be run.
fn setting(test: &str) -> Option<(World, String)> {
    let world = World::new(test)?;
    let images = Images::of(test, env!("CARGO_TARGET_TMPDIR"))?;
    Some((world, images.get("layout#plain")))
}

/// `bulkhead run -d` of a shell script; the container's name is `name`.
fn in_background(world: &World, name: &str, flags: &[&str], image: &str, script: &str) {
    let flags = [&["-d", "--name", name], flags].concat();
    let outcome =
        Running::start(&mut world.run_as_docker(&flags, image, &["sh", "-c", script]), "").wait();
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
    let id = outcome.stdout.trim_end();
    assert!(id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
}

/// What `ps -a` says of the only container.
fn status(world: &World) -> String {
    let outcome =
        world.bulkhead(&["ps", "-a", "--format", "{{.Names}} {{.State}} {{.Status}}"], "");
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
    outcome.stdout
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn a_container_in_the_background_does_what_it_is_told() {
    let Some((world, image)) = setting("a_container_in_the_background_does_what_it_is_told") else {
        return;
    };
    let script = "trap 'echo usr1' USR1; trap 'echo term >&2; exit 7' TERM
        echo run $(cat /runs 2>/dev/null); echo again >> /runs
        while :; do sleep 0.1; done";
    in_background(&world, "web", &["-e", "A=first", "-w", "/work"], &image, script);
    assert!(status(&world).starts_with("web running Up "), "{}", status(&world));
    let on = |arguments: &[&str], input: &str| world.bulkhead(arguments, input);

    // Processes beside it.
    on(&["exec", "web", "sh", "-c", "echo $A in $(pwd); echo err >&2; exit 5"], "").assert(
        5,
        "first in /work\n",
        "err\n",
    );
    on(
        &[
            "exec",
            "-i",
            "-e",
            "A=second",
            "-w",
            "/",
            "-u",
            "app",
            "web",
            "sh",
            "-c",
            "cat; echo $A $(id -un) $(pwd)",
        ],
        "in\n",
    )
    .assert(0, "in\nsecond app /\n", "");
    on(&["exec", "web", "cat"], "not for it").assert(0, "", "");
    assert_eq!(on(&["exec", "web", "sh", "-c", "busybox yes & exit 4"], "").status, 4);
    on(&["exec", "-w", "/mis/sing", "web", "pwd"], "").assert_refused(127, &["/mis/sing"]);
    on(&["exec", "web", "ls", "/mis"], "").assert(1, "", "ls: /mis: No such file or directory\n");
    on(&["exec", "web", "no-such-command"], "").assert_refused(127, &["no-such-command"]);
    on(&["exec", "-d", "web", "sh", "-c", "echo detached > /detached"], "").assert(0, "", "");
    assert!(eventually(|| on(&["exec", "web", "cat", "/detached"], "").stdout == "detached\n"));
    on(&["exec", "nobody", "true"], "").assert_refused(1, &["nobody"]);

    // Files.
    fs::create_dir(world.path("folder")).unwrap();
    fs::write(world.path("folder/file"), "from here").unwrap();
    on(&["cp", "folder", "web:/new"], "").assert(0, "", "");
    on(&["exec", "web", "cat", "/new/file"], "").assert(0, "from here", "");
    on(&["cp", "web:/new", "back"], "").assert(0, "", "");
    assert_eq!(fs::read_to_string(world.path("back/file")).unwrap(), "from here");
    on(&["cp", "web:/etc/passwd", "back"], "").assert(0, "", "");
    assert!(fs::read_to_string(world.path("back/passwd")).unwrap().starts_with("root:"));
    // A folder's contents, beside what is there.
    on(&["cp", "web:/etc/.", "back"], "").assert(0, "", "");
    assert!(world.path("back/group").exists() && world.path("back/file").exists());
    on(&["cp", "--max-files", "3", "web:/etc", "back"], "").assert_refused(1, &["--max-files"]);
    on(&["cp", "web:/no/such/file", "back"], "").assert_refused(1, &["/no/such/file"]);

    // Pause: time stands still inside, and is right afterwards.
    on(&["pause", "web"], "").assert(0, "web\n", "");
    assert!(status(&world).contains("paused"), "{}", status(&world));
    on(&["exec", "web", "true"], "").assert_refused(1, &["paused", "unpause"]);
    std::thread::sleep(Duration::from_secs(2));
    on(&["unpause", "web"], "").assert(0, "web\n", "");
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let before = now();
    let inside: u64 = on(&["exec", "web", "date", "+%s"], "").stdout.trim().parse().unwrap();
    // A second for what of it was cut off.
    assert!((before - 1..=now()).contains(&inside), "{inside} inside, {before} here");

    // Figures.
    let line =
        on(&["stats", "--no-stream", "--format", "{{.Name}} {{.PIDs}} {{.MemUsage}}"], "").stdout;
    assert!(line.starts_with("web ") && line.contains(" / "), "{line}");

    // Signals, and the end.
    on(&["kill", "-s", "USR1", "web"], "").assert(0, "web\n", "");
    assert!(eventually(|| on(&["logs", "web"], "").stdout == "run\nusr1\n"));
    on(&["rm", "web"], "").assert_refused(1, &["web", "running"]);
    let mut waiting = world.command("bulkhead");
    let waiting = Running::start(waiting.args(["wait", "web"]), "");
    on(&["stop", "web"], "").assert(0, "web\n", "");
    waiting.wait().assert(0, "7\n", "");
    assert!(status(&world).starts_with("web exited Exited (7)"), "{}", status(&world));
    on(&["logs", "web"], "").assert(0, "run\nusr1\n", "term\n");
    on(&["exec", "web", "true"], "").assert_refused(1, &["not running", "start"]);

    // Its files are there as well when it does not run.
    on(&["cp", "web:/runs", "back"], "").assert(0, "", "");
    assert_eq!(fs::read_to_string(world.path("back/runs")).unwrap(), "again\n");
    fs::write(world.path("given"), "given\n").unwrap();
    on(&["cp", "given", "web:/"], "").assert(0, "", "");

    // It starts again with what it wrote, and was given.
    on(&["start", "web"], "").assert(0, "web\n", "");
    assert!(eventually(|| on(&["logs", "--tail", "1", "web"], "").stdout == "run again\n"));
    on(&["exec", "web", "cat", "/given"], "").assert(0, "given\n", "");
    on(&["kill", "web"], "").assert(0, "web\n", "");
    on(&["wait", "web"], "").assert(0, "137\n", "");
    on(&["rm", "web"], "").assert(0, "web\n", "");
    assert_eq!(status(&world), "");
    world.assert_nothing_left();
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn whatever_is_killed_the_state_is_right() {
    let Some((world, image)) = setting("whatever_is_killed_the_state_is_right") else { return };
    for (name, program) in [("one", "bulkhead"), ("two", "bulkhead-vmm"), ("three", JAILER)] {
        in_background(&world, name, &[], &image, "sleep 1000");
        if program == "bulkhead" {
            // One that is stopped ends as well.
            world.bulkhead(&["pause", name], "").assert(0, &format!("{name}\n"), "");
        }
        kill(world.process(program));
        assert!(eventually(|| status(&world).contains(&format!("{name} exited Exited (137)"))));
        world.assert_nothing_left();
    }
    let list = world.bulkhead(&["ps", "-aq"], "").stdout;
    let ids: Vec<&str> = list.lines().collect();
    world.bulkhead(&[&["rm"], &ids[..]].concat(), "").assert(0, &list, "");

    // One that removes itself does so too when it is killed in the foreground.
    let mut run = world.run_as_docker(&["--rm"], &image, &["sh", "-c", "echo up; sleep 1000"]);
    let mut running = Running::start(&mut run, "");
    running.expect("up\n");
    kill(running.id());
    running.wait();
    assert!(eventually(|| status(&world).is_empty()), "{}", status(&world));
    world.assert_nothing_left();
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn a_guest_that_stands_still_ends_with_its_machine() {
    let Some((world, image)) = setting("a_guest_that_stands_still_ends_with_its_machine") else {
        return;
    };
    in_background(&world, "still", &[], &image, "sleep 1000");
    signal(world.process("bulkhead-vmm"), Signal::STOP);
    // To a process that can't hear it.
    world.bulkhead(&["kill", "still"], "").assert(0, "still\n", "");
    world.bulkhead(&["wait", "still"], "").assert(0, "137\n", "");
    let why = world.bulkhead(&["inspect", "--format", "{{.State.Error}}", "still"], "").stdout;
    assert_eq!(why, "bulkhead-vmm was killed by signal 9\n");
    world.bulkhead(&["rm", "still"], "").assert(0, "still\n", "");

    // And one that was told to stand still.
    in_background(&world, "paused", &[], &image, "sleep 1000");
    world.bulkhead(&["pause", "paused"], "").assert(0, "paused\n", "");
    world.bulkhead(&["kill", "-s", "HUP", "paused"], "").assert_refused(1, &["unpause"]);
    world.bulkhead(&["kill", "paused"], "").assert(0, "paused\n", "");
    world.bulkhead(&["wait", "paused"], "").assert(0, "137\n", "");
    world.bulkhead(&["rm", "paused"], "").assert(0, "paused\n", "");
    world.assert_nothing_left();
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn restarts_are_counted_and_end() {
    let Some((world, image)) = setting("restarts_are_counted_and_end") else { return };
    let flags = ["--restart", "on-failure:2", "--name", "job"];
    let script = "echo x >> /runs; wc -l < /runs; exit 3";
    let mut run = world.run_as_docker(&flags, &image, &["sh", "-c", script]);
    Running::start(&mut run, "").wait().assert(3, "1\n2\n3\n", "");
    assert!(status(&world).starts_with("job exited Exited (3)"), "{}", status(&world));
    world.bulkhead(&["logs", "job"], "").assert(0, "1\n2\n3\n", "");
    let count = ["inspect", "--format", "{{.RestartCount}}", "job"];
    world.bulkhead(&count, "").assert(0, "2\n", "");
    world.bulkhead(&["rm", "job"], "").assert(0, "job\n", "");
    world.assert_nothing_left();
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn what_flags_say_about_a_life() {
    let Some((world, image)) = setting("what_flags_say_about_a_life") else { return };
    let on = |arguments: &[&str], input: &str| world.bulkhead(arguments, input);
    let platform = HERE.platform();
    let kernel = world.kernel().to_str().unwrap();
    let machine = ["--kernel", kernel, "--platform", &platform, "--cpus", "2", "-m", "300M"];
    let process = ["--entrypoint", "sh", "--hostname", "box", "-i", "--pull", "never"];
    let life = ["--restart", "unless-stopped", "--stop-signal", "USR1", "--stop-timeout", "1"];
    let notes = ["--name", "old", "--label", "team=web", "--log-opt", "max-size=4k"];
    let script = "trap 'echo usr1' USR1
        seq 1000; echo up on $(hostname) with $(nproc)
        while :; do
            if read -r line; then
                echo \"got $line\"
                case $line in leave) exit 3;; esac
            else
                sleep 0.1
            fi
        done";
    let create =
        [&["create"], &machine[..], &process, &life, &notes, &[&image, "-c", script]].concat();
    assert_eq!(on(&create, "").status, 0);
    on(&["rename", "old", "new"], "").assert(0, "", "");
    assert!(status(&world).starts_with("new created "), "{}", status(&world));
    on(&["start", "new"], "").assert(0, "new\n", "");
    let up = "up on box with 2\n";
    assert!(eventually(|| on(&["logs", "--tail", "1", "new"], "").stdout == up));
    // Two files of a size.
    let kept = on(&["logs", "new"], "").stdout;
    assert!(kept.ends_with(&format!("1000\n{up}")) && kept.lines().count() < 200, "{kept}");
    on(&["ps", "-q", "--filter", "label=team=db"], "").assert(0, "", "");
    assert_eq!(on(&["ps", "-q", "--filter", "label=team=web"], "").stdout.trim_end().len(), 12);

    // Whoever is attached sees it end, and it starts again.
    on(&["attach", "new"], "hello\nleave\n").assert(3, "got hello\ngot leave\n", "");
    let count = ["inspect", "--format", "{{.RestartCount}}", "new"];
    assert!(eventually(|| on(&count, "").stdout == "1\n"));
    assert!(eventually(|| on(&["logs", "--tail", "1", "new"], "").stdout == up));
    // The signal does not end it, and after a second something else does.
    on(&["stop", "new"], "").assert(0, "new\n", "");
    on(&["logs", "--tail", "1", "new"], "").assert(0, "usr1\n", "");
    assert!(status(&world).starts_with("new exited Exited (137)"), "{}", status(&world));
    on(&["rm", "new"], "").assert(0, "new\n", "");
    world.assert_nothing_left();
}

/// A shell on a terminal of its own, driven by `script` from Debian's bsdutils.
#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn a_terminal_session() {
    let Some((world, image)) = setting("a_terminal_session") else { return };
    let mut run: Command = world.run_as_docker(&["--rm", "-it"], &image, &["sh"]);
    let mut terminal = bulkhead_tests::Terminal::start(&mut run, 30, 100);
    // Typed ahead, before there is a container.
    terminal.type_in("stty size; echo end$((1+1))\n");
    terminal.expect("30 100");
    terminal.expect("end2");
    terminal.resize(41, 121);
    terminal.type_in("sleep 0.2; stty size; tty; echo end$((1+2))\n");
    terminal.expect("41 121");
    terminal.expect("/dev/pts/0");
    terminal.expect("end3");
    terminal.type_in("vi /new\n");
    terminal.expect("~");
    terminal.type_in("ihello\x1b");
    // Or it is taken for the start of a key's sequence.
    terminal.expect("hello");
    std::thread::sleep(Duration::from_secs(1));
    terminal.type_in(":wq\n");
    terminal.type_in("cat /new; echo end$((2+2))\n");
    terminal.expect("hello");
    terminal.expect("end4");
    // Ctrl-C ends what runs, not the shell.
    terminal.type_in("sleep 1000\n");
    std::thread::sleep(Duration::from_millis(500));
    terminal.type_in("\x03");
    terminal.type_in("exit 9\n");
    assert_eq!(terminal.wait(), 9);
    world.assert_nothing_left();
}
