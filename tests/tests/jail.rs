//! What a container's VMM still has on its host, as the host's kernel tells it (proc(5)).

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use bulkhead_tests::{
    Images, JAILER, PROGRAMS_OF_A_USER, Running, World, eventually, have, is_root,
};
use rustix::process::Signal;

/// Every kind but the user's, in which root needs none of its own.
const NAMESPACES: [&str; 6] = ["cgroup", "ipc", "mnt", "net", "pid", "uts"];

/// What the container does meanwhile.
const SCRIPT: &str = "trap 'exit 7' TERM; echo running; sleep 1000 & wait";

/// A world and an image, where a test can be run.
fn setting(test: &str) -> Option<(World, String)> {
    Some((World::new(test)?, Images::of(test, env!("CARGO_TARGET_TMPDIR"))?.get("root")))
}

fn read(process: u32, file: &str) -> String {
    let bytes = fs::read(format!("/proc/{process}/{file}"));
    String::from_utf8_lossy(&bytes.unwrap_or_else(|error| panic!("{file}: {error}"))).into_owned()
}

/// A line of `/proc/PID/status` (proc_pid_status(5)).
fn field(process: u32, name: &str) -> String {
    let status = read(process, "status");
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {name}")).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The hard limit (proc_pid_limits(5)).
fn limit(process: u32, name: &str) -> String {
    let limits = read(process, "limits");
    let line = limits.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().to_owned()
}

fn link(process: &str, name: &str) -> PathBuf {
    fs::read_link(format!("/proc/{process}/{name}")).unwrap()
}

/// Where its descriptors lead: paths, and kinds of what has none.
fn descriptors(process: u32) -> Vec<String> {
    let folder = fs::read_dir(format!("/proc/{process}/fd")).unwrap();
    let path = |entry: fs::DirEntry| fs::read_link(entry.path()).unwrap();
    let name = |path: PathBuf| {
        let path = path.to_string_lossy();
        // `pipe:[1234]`, but `anon_inode:[eventfd]`.
        let kind = path.split_once(":[").filter(|(_, rest)| rest.starts_with(char::is_numeric));
        kind.map_or(&*path, |(kind, _)| kind).to_owned()
    };
    folder.map(|entry| name(path(entry.unwrap()))).collect()
}

/// The VMM of the world's one container is locked in, and whoever waits outside of it has nothing either.
fn assert_locked_in(world: &World) {
    let vmm = world.process("bulkhead-vmm");
    let mut names = BTreeSet::new();
    for thread in fs::read_dir(format!("/proc/{vmm}/task")).unwrap() {
        let number: u32 = thread.unwrap().file_name().to_str().unwrap().parse().unwrap();
        names.insert(field(number, "Name"));
        assert_eq!(field(number, "NoNewPrivs"), "1");
        // SECCOMP_MODE_FILTER.
        assert_eq!(field(number, "Seccomp"), "2");
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert_eq!(field(number, set), "0000000000000000", "{set}");
        }
        assert_eq!(read(number, "environ").trim_matches('\0'), "");
        for kind in NAMESPACES {
            let name = format!("ns/{kind}");
            assert_ne!(link(&number.to_string(), &name), link("self", &name));
        }
    }
    // KVM itself adds a thread that runs in the kernel only (`kvm_mmu_start_lpage_recovery` in linux/arch/x86/kvm/mmu/mmu.c).
    names.remove("kvm-nx-lpage-re");
    let known = |name: &String| {
        name == "bulkhead-vmm" || name.starts_with("vcpu") || name.starts_with("disk ")
    };
    assert!(names.len() >= 3 && names.iter().all(known), "{names:?}");

    let root = format!("/proc/{vmm}/root/");
    assert_eq!(fs::read_dir(&root).unwrap().count(), 0);
    assert!(fs::write(Path::new(&root).join("x"), "").is_err());
    assert_eq!(read(vmm, "mountinfo").lines().count(), 1);
    assert_eq!(read(vmm, "net/dev").lines().count(), 3, "two of them are a heading");
    // Its session is its own, without a terminal (proc_pid_stat(5): session, tty_nr).
    let stat = read(vmm, "stat");
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    assert_eq!((fields[3], fields[4]), (&*vmm.to_string(), "0"));

    assert_eq!(limit(vmm, "Max core file size"), "0");
    assert_ne!(limit(vmm, "Max file size"), "unlimited");
    assert!(limit(vmm, "Max open files").parse::<u32>().unwrap() < 2300);
    // It can neither be traced nor read by the user whose it is.
    let owner = fs::metadata(format!("/proc/{vmm}/mem")).unwrap().uid();
    assert_eq!(owner, 0);

    let found = descriptors(vmm);
    let disk = world.path("").to_string_lossy().into_owned();
    let known = |name: &&String| {
        let name = name.as_str();
        name == "/dev/null"
            || ["pipe", "socket"].contains(&name)
            || name.starts_with("anon_inode:")
            || name.starts_with(&disk)
            // The name of a disk that has none any more, or is outside of the world's folder.
            || name.ends_with(" (deleted)")
    };
    let unknown: Vec<_> = found.iter().filter(|name| !known(name)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    let files = found.iter().filter(|name| name.starts_with('/') && *name != "/dev/null").count();
    assert!(files <= 6, "two disks, in parts: {found:?}");

    let outer = descriptors(world.process(JAILER));
    assert!(outer.len() <= 4 && !outer.contains(&"/dev/kvm".to_owned()), "{outer:?}");
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn a_container_of_root_s_is_locked_in() {
    let test = "a_container_of_root_s_is_locked_in";
    let Some((world, image)) = setting(test).filter(|_| is_root(test)) else { return };
    let mut running = Running::start(&mut world.run(&[], &image, &["sh", "-c", SCRIPT]), "");
    running.expect("running\n");
    assert_locked_in(&world);
    running.signal(Signal::TERM);
    running.wait().assert(7, "", "");
    world.assert_nothing_left();
}

/// The folders of runs' sockets, with the group that they let in.
fn sockets(world: &World) -> Vec<(u32, PathBuf)> {
    let folders = world.files().into_iter().filter(|path| path.ends_with("sockets"));
    folders.map(|path| (fs::metadata(&path).unwrap().gid(), path)).collect()
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn two_containers_of_root_s_are_two_users() {
    let test = "two_containers_of_root_s_are_two_users";
    let Some((world, image)) = setting(test).filter(|_| is_root(test)) else { return };
    if !have(test, &["setpriv"]) {
        return;
    }
    let start = |name, base: &[&str]| {
        let flags = [&["-d", "--rm", "--name", name], base].concat();
        let mut run = world.run_as_docker(&flags, &image, &["sh", "-c", SCRIPT]);
        assert_eq!(Running::start(&mut run, "").wait().status, 0);
    };
    start("usual", &[]);
    let vmm = world.process("bulkhead-vmm");
    let usual = sockets(&world)[0].0;
    assert!((0x7E00_0000..0x7E01_0000).contains(&usual), "{usual}");
    let ids = format!("{usual} {usual} {usual} {usual}");
    assert_eq!([field(vmm, "Uid"), field(vmm, "Gid")], [ids.clone(), ids]);
    assert_eq!(field(vmm, "Groups"), "");
    start("other", &["--uid-base", "300000"]);
    let folders = sockets(&world);
    let other = folders.iter().map(|(user, _)| *user).find(|user| *user != usual).unwrap();
    assert!((300_000..365_536).contains(&other), "{other}");

    // Whoever stands in the folder, as a VM does: what was opened before does not count.
    let may = |user: u32, folder: &Path, what: &str| {
        let ids = [format!("--reuid={user}"), format!("--regid={user}")];
        let mut shell = world.command("setpriv");
        shell.current_dir(folder).args(ids).args(["--clear-groups", "sh", "-c", what]);
        Running::start(&mut shell, "").wait().status == 0
    };
    assert_eq!(folders.len(), 2);
    for (owner, folder) in &folders {
        for user in [usual, other] {
            assert_eq!(
                may(user, folder, "test -w vsock_1024"),
                user == *owner,
                "{user} {folder:?}"
            );
            for more in ["ls .", "touch x", "rm vsock_1024", "chmod 777 .", "cat ../vm.json"] {
                assert!(!may(user, folder, more), "{user} {folder:?}: {more}");
            }
        }
        let link = fs::read_link(Path::new("/run/bulkhead/users").join(owner.to_string()));
        assert_eq!(link.unwrap(), folder.parent().unwrap());
    }
    world.bulkhead(&["kill", "usual", "other"], "").assert(0, "usual\nother\n", "");
    assert!(eventually(|| world.processes().is_empty()));
    for user in [usual, other] {
        let link = Path::new("/run/bulkhead/users").join(user.to_string());
        assert!(fs::symlink_metadata(&link).is_err(), "{link:?}");
    }
    world.assert_nothing_left();
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn a_container_of_a_user_s_is_locked_in() {
    let test = "a_container_of_a_user_s_is_locked_in";
    let Some(world) = World::new(test).filter(|_| is_root(test)) else { return };
    if !have(test, &PROGRAMS_OF_A_USER) {
        return;
    }
    world.give_to_user();
    let run = ["run", "--rm", "--kernel", "kernel", "image", "--", "sh", "-c", SCRIPT];
    let mut running = Running::start(&mut world.bulkhead_of_user("", &run), "");
    running.expect("running\n");
    assert_locked_in(&world);
    let vmm = world.process("bulkhead-vmm");
    assert_ne!(link(&vmm.to_string(), "ns/user"), link("self", "ns/user"));
    assert_eq!(field(vmm, "Uid"), "1000 1000 1000 1000");
    running.signal(Signal::TERM);
    running.wait().assert(7, "", "");
    world.assert_nothing_left();
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn a_paused_container_s_vmm_stands_still() {
    let test = "a_paused_container_s_vmm_stands_still";
    let Some((world, image)) = setting(test) else { return };
    let flags = ["-d", "--name", "still", "--rm"];
    let mut run = world.run_as_docker(&flags, &image, &["sh", "-c", SCRIPT]);
    assert_eq!(Running::start(&mut run, "").wait().status, 0);
    let vmm = world.process("bulkhead-vmm");
    let is_stopped = || read(vmm, "stat").contains(") T ");
    world.bulkhead(&["pause", "still"], "").assert(0, "still\n", "");
    assert!(eventually(is_stopped));
    world.bulkhead(&["unpause", "still"], "").assert(0, "still\n", "");
    assert!(!is_stopped());
    world.bulkhead(&["kill", "still"], "").assert(0, "still\n", "");
    assert!(eventually(|| world.processes().is_empty()));
    world.assert_nothing_left();
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn a_refused_system_call_is_told() {
    let test = "a_refused_system_call_is_told";
    let Some((world, image)) = setting(test).filter(|_| is_root(test)) else { return };
    if !have(test, &["strace"]) {
        return;
    }
    let flags = ["-d", "--name", "told", "--restart", "on-failure:1"];
    let mut run = world.run_as_docker(&flags, &image, &["sh", "-c", SCRIPT]);
    assert_eq!(Running::start(&mut run, "").wait().status, 0);
    let state = |format| world.bulkhead(&["inspect", "--format", format, "told"], "").stdout;
    // The next wait of the event loop becomes another call, behind which its filter looks.
    let refuse = || {
        let vmm = world.process("bulkhead-vmm").to_string();
        let mut strace = world.command("strace");
        strace.args([
            "-o",
            "calls",
            "-e",
            "inject=epoll_pwait:syscall=getppid:error=EINTR",
            "-p",
            &vmm,
        ]);
        let outcome = Running::start(&mut strace, "").wait();
        assert_eq!(outcome.status, 0, "{outcome:?}");
    };
    refuse();
    assert!(eventually(|| state("{{.State.Status}} {{.RestartCount}}") == "running 1\n"));
    refuse();
    assert!(eventually(|| world.processes().is_empty()));
    assert_eq!(state("{{.State.Status}} {{.State.ExitCode}}"), "exited 137\n");
    let told = state("{{.State.Error}}").trim_end().to_owned();
    let ends_well = told.ends_with(" in thread event loop was refused");
    assert!(told.starts_with("system call ") && ends_well, "{told}");
    let log = world.files().into_iter().find(|path| path.ends_with("supervisor.log")).unwrap();
    let log = fs::read_to_string(log).unwrap();
    let lines: Vec<&str> = log.lines().collect();
    assert!(
        lines.len() == 2 && lines[0].ends_with(&format!("{told}: it is started again")),
        "{log}"
    );
    assert_eq!(lines[1], format!("bulkhead: {told}"));
    world.bulkhead(&["rm", "told"], "").assert(0, "told\n", "");
    world.assert_nothing_left();
}
