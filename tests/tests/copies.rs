//! `cp` as docker documents it, into a container that runs and out of it, and into one that has not started.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};

use rustix::process::Signal;

use bulkhead_tests::{HERE, Images, Running, Terminal, World, eventually, have, is_root, tool};

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
    assert_eq!(names, ["./", "./a", "./b", "./pipe"]);
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

/// An archive of a folder's only file, without the folder's own entry.
fn archive_of(folder: &str, file: &str) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_path(format!("{folder}/{file}")).unwrap();
    header.set_mode(0o640);
    header.set_uid(12);
    header.set_gid(34);
    header.set_mtime(1_000_000_000);
    header.set_size(4);
    header.set_cksum();
    archive.append(&header, &b"text"[..]).unwrap();
    archive.into_inner().unwrap()
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn archives_and_links_are_taken_as_docker_takes_them() {
    let test = "archives_and_links_are_taken_as_docker_takes_them";
    if !have(test, &["gzip", "bzip2", "xz", "zstd", "tar"]) || !is_root(test) {
        return;
    }
    let world = World::new(test);
    let (Some(world), Some(images)) = (world, Images::of(test, env!("CARGO_TARGET_TMPDIR"))) else {
        return;
    };
    let on = |arguments: &[&str]| world.bulkhead(arguments, "");
    let in_it = |script: &str| on(&["exec", "web", "sh", "-c", script]).stdout;
    let text = |name: &str| fs::read_to_string(world.path(name)).unwrap();
    let from = |path: &str| {
        let input = fs::read(world.path(path)).unwrap();
        Running::start(world.command("bulkhead").args(["cp", "-", "web:/srv"]), input).wait()
    };
    let script = "mkdir -p /tmp /srv/real; cd /srv
        echo theirs > file; busybox chown 12:34 file; touch /ready; while :; do sleep 0.1; done";
    let flags = ["-d", "--rm", "--name", "web"];
    let image = images.get("layout#plain");
    Running::start(&mut world.run_as_docker(&flags, &image, &["sh", "-c", script]), "").wait();
    assert!(eventually(|| in_it("[ -e /ready ] && echo ready") == "ready\n"));

    // Compressed or not; folders that no entry speaks of are root's, for others to look into.
    for program in ["gzip", "bzip2", "xz", "zstd"] {
        fs::write(world.path(program), archive_of(program, "file")).unwrap();
        let path = world.path(program);
        let packed = world.path("packed");
        let command = format!("{program} -c < {} > {}", path.display(), packed.display());
        tool("sh", &["-c", &command]);
        from("packed").assert(0, "", "");
        let found = in_it(&format!(
            "cd /srv; cat {program}/file; stat -c '%a %u:%g' {program} {program}/file"
        ));
        assert_eq!(found, "text755 0:0\n640 12:34\n", "{program}");
    }
    // Sparse files in each of GNU tar's forms (its manual, "Storing Sparse Files").
    let sparse = fs::File::create(world.path("sparse")).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&sparse, b"middle", 1 << 20).unwrap();
    sparse.set_len(3 << 20).unwrap();
    let folder = world.path("").display().to_string();
    for form in
        ["gnu", "pax --sparse-version=0.0", "pax --sparse-version=0.1", "pax --sparse-version=1.0"]
    {
        let form = format!("--format={form}");
        let mut arguments = vec!["-C", &folder, "--sparse"];
        arguments.extend(form.split(' '));
        let archive = world.path("sparse.tar").display().to_string();
        arguments.extend(["-cf", &archive, "sparse"]);
        tool("tar", &arguments);
        from("sparse.tar").assert(0, "", "");
        let found = in_it(
            "cd /srv; stat -c %s sparse; cat sparse | busybox tr -d '\\0'; busybox rm sparse; ls",
        );
        assert_eq!(found, "3145728\nmiddlebzip2\nfile\ngzip\nreal\nxz\nzstd\n", "{form}");
    }
    fs::write(world.path("none"), "no archive").unwrap();
    let refused = from("none");
    refused.assert_refused(1, &["-: "]);

    // A link of this machine that is named leads there, and stays.
    fs::write(world.path("mine"), "mine").unwrap();
    fs::create_dir(world.path("folder")).unwrap();
    for (link, target) in [("to-mine", "mine"), ("to-new", "folder/new"), ("to-folder", "folder")] {
        symlink(target, world.path(link)).unwrap();
        on(&["cp", "web:/srv/file", link]).assert(0, "", "");
        assert_eq!(fs::read_link(world.path(link)).unwrap().to_str(), Some(target));
    }
    for copy in ["mine", "folder/new", "folder/file"] {
        assert_eq!(text(copy), "theirs\n", "{copy}");
    }
    on(&["cp", "web:/srv/file", "/dev/null"]).assert_refused(1, &["/dev/null is a device"]);
    on(&["cp", "web:/srv/file", "no/new"]).assert_refused(1, &["there is no folder no"]);

    // Owners, for root who asks.
    on(&["cp", "-a", "web:/srv/file", "owned"]).assert(0, "", "");
    on(&["cp", "web:/srv/file", "plain"]).assert(0, "", "");
    let owner = |path: &str| fs::metadata(world.path(path)).map(|m| (m.uid(), m.gid())).unwrap();
    assert_eq!((owner("owned"), owner("plain")), ((12, 34), (0, 0)));
    // Paths by their text, and a folder's contents.
    on(&["cp", "mine", "web:none/../srv/./real/../by-text"]).assert(0, "", "");
    on(&["cp", "folder/./", "web:/srv/real/"]).assert(0, "", "");
    assert_eq!(in_it("cat /srv/by-text; ls /srv/real"), "theirs\nfile\nnew\n");

    // One that is called off leaves nothing.
    assert_eq!(in_it("busybox truncate -s 20G /srv/huge"), "");
    let copy = Running::start(world.command("bulkhead").args(["cp", "web:/srv/huge", "."]), "");
    let names = || fs::read_dir(world.path("")).unwrap().map(|entry| entry.unwrap().file_name());
    let unpacks = || names().any(|name| name.to_string_lossy().starts_with(".tmp"));
    assert!(eventually(unpacks));
    copy.signal(Signal::INT);
    copy.wait().assert(130, "", "");
    assert!(!unpacks() && !world.path("huge").exists());

    // What is said on a terminal.
    let mut said = world.command("sh");
    said.args([
        "-c",
        "bulkhead cp -q mine web:/tmp/a 2> quiet; bulkhead cp mine web:/tmp/b 2> said",
    ]);
    assert_eq!(Terminal::start(&mut said, 25, 80).wait(), 0);
    assert_eq!(text("quiet"), "");
    assert!(text("said").starts_with("Successfully copied "), "{}", text("said"));
    on(&["rm", "-f", "web"]).assert(0, "web\n", "");
    world.assert_nothing_left();
}
