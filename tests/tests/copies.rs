//! `cp` as docker documents it, into a container that runs and out of it, and into one that has not started.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};

use bulkhead_tests::{HERE, Images, Running, World, eventually};

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn what_is_copied_is_where_docker_puts_it() {
    let test = "what_is_copied_is_where_docker_puts_it";
    let world = World::new(test);
    let (Some(world), Some(images)) = (world, Images::of(test, env!("CARGO_TARGET_TMPDIR"))) else {
        return;
    };
    let image = images.get("layout#plain");
    let on = |arguments: &[&str], input: &str| world.bulkhead(arguments, input);
    let in_it = |script: &str| on(&["exec", "web", "sh", "-c", script], "").stdout;
    let script = "mkdir -p /tmp /srv/real /srv/tools; cd /srv
        busybox ln -s srv/real /data; busybox ln -s /srv/real /absolute
        echo tool > tools/a; busybox ln tools/a tools/b; busybox ln -s tools link
        busybox mkfifo tools/pipe; touch /ready; while :; do sleep 0.1; done";
    let flags = ["-d", "--rm", "--name", "web"];
    Running::start(&mut world.run_as_docker(&flags, &image, &["sh", "-c", script]), "").wait();
    assert!(eventually(|| in_it("[ -e /ready ] && echo ready") == "ready\n"));

    // Into a folder that is a link, which stays one.
    fs::write(world.path("one"), "one").unwrap();
    on(&["cp", "one", "web:/data"], "").assert(0, "", "");
    on(&["cp", "one", "web:/absolute/two"], "").assert(0, "", "");
    let found =
        in_it("readlink /data; readlink /absolute; ls /srv/real; stat -c %u:%g /srv/real/one");
    assert_eq!(found, "srv/real\n/srv/real\none\ntwo\n0:0\n");
    // Names and links of this machine.
    symlink("one", world.path("link")).unwrap();
    on(&["cp", "link", "web:/tmp/"], "").assert(0, "", "");
    on(&["cp", "-L", "link", "web:/tmp/followed"], "").assert(0, "", "");
    assert_eq!(in_it("readlink /tmp/link; cat /tmp/followed; readlink /tmp/followed"), "one\none");
    fs::create_dir(world.path("folder")).unwrap();
    fs::write(world.path("folder/a"), "same").unwrap();
    fs::hard_link(world.path("folder/a"), world.path("folder/b")).unwrap();
    on(&["cp", "-a", "folder/.", "web:/srv/real"], "").assert(0, "", "");
    let own = fs::metadata(world.path("folder/a")).unwrap();
    let found = in_it("ls /srv/real; stat -c '%h %u:%g' /srv/real/a");
    assert_eq!(found, format!("a\nb\none\ntwo\n2 {}:{}\n", own.uid(), own.gid()));
    // Where nothing is made, and nothing replaced.
    on(&["cp", "one", "web:/new/"], "").assert_refused(1, &["/new/: "]);
    on(&["cp", "one", "web:/no/new"], "").assert_refused(1, &["/no: "]);
    on(&["cp", "folder", "web:/srv/tools/a"], "").assert_refused(1, &["/srv/tools/a", "no folder"]);
    on(&["cp", "web:/ready", "new/"], "").assert_refused(1, &["new", "no folder"]);
    on(&["cp", "web:/srv", "one"], "").assert_refused(1, &["one", "no folder"]);
    assert_eq!(in_it("ls -d /new /no 2>/dev/null; cat /srv/tools/a"), "tool\n");

    // Out of it: links, names of one file, a folder's contents.
    on(&["cp", "web:/srv/link", "back"], "").assert(0, "", "");
    assert_eq!(fs::read_link(world.path("back")).unwrap().to_str(), Some("tools"));
    on(&["cp", "-L", "web:/srv/link", "tools"], "").assert(0, "", "");
    let inode = |path: &str| fs::metadata(world.path(path)).unwrap().ino();
    assert_eq!(inode("tools/a"), inode("tools/b"));
    assert!(world.path("tools/pipe").exists());
    let mut archive = world.command("bulkhead");
    let archive = archive.args(["cp", "web:/srv/tools/.", "-"]).output().unwrap().stdout;
    let mut names: Vec<_> = tar::Archive::new(&archive[..])
        .entries()
        .unwrap()
        .map(|entry| entry.unwrap().path().unwrap().display().to_string())
        .collect();
    names.sort();
    assert_eq!(names, [".", "a", "b", "pipe"]);
    on(&["rm", "-f", "web"], "").assert(0, "web\n", "");

    // What a container is given before its only start.
    let (kernel, platform) = (world.kernel().to_str().unwrap(), HERE.platform());
    let flags = ["create", "--rm", "--name", "job", "--kernel", kernel, "--platform", &platform];
    let create = [&flags[..], &[&image, "cat", "/note"]].concat();
    assert_eq!(on(&create, "").status, 0);
    on(&["cp", "one", "job:/note"], "").assert(0, "", "");
    on(&["start", "-a", "job"], "").assert(0, "one", "");
    world.assert_nothing_left();
}
