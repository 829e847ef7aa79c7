//! What a VM may use of its host, as the host's kernel has it (cgroup v2).

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

use bulkhead_tests::{
    Images, JAILER, PROGRAMS_OF_A_USER, Running, USER, World, eventually, have, is_root, kill,
};
use rustix::process::Signal;
use serde_json::Value;

/// Where cgroup v2 is.
const TOP: &str = "/sys/fs/cgroup";

/// What the container does meanwhile.
const SCRIPT: &str = "trap 'exit 7' TERM; echo running; sleep 1000 & wait";

/// A file of a cgroup.
fn read(cgroup: &Path, file: &str) -> String {
    let path = cgroup.join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}")).trim().to_owned()
}

/// What `inspect` has printed of the container's VM.
fn limits(printed: &str) -> Value {
    serde_json::from_str(printed).unwrap()
}

/// Starts a container in the background, and gives what `inspect` says of its VM.
fn start(world: &World, image: &str, flags: &[&str], name: &str) -> Value {
    let flags = [&["-d", "--name", name], flags].concat();
    let mut run = world.run_as_docker(&flags, image, &["sh", "-c", SCRIPT]);
    assert_eq!(Running::start(&mut run, "").wait().status, 0);
    let format = "{{json .VmLimits}}";
    limits(&world.bulkhead(&["inspect", "--format", format, name], "").stdout)
}

fn cgroup(limits: &Value) -> PathBuf {
    limits["Cgroup"].as_str().unwrap_or_else(|| panic!("{limits}")).into()
}

/// The cgroup's limits are what `inspect` says, and what was asked for, and the VM is in it.
fn assert_limited(world: &World, limits: &Value, processors: u64) {
    let cgroup = cgroup(limits);
    let number = |field: &str| limits[field].as_u64().unwrap();
    let config = world.files().into_iter().find(|path| path.ends_with("vm.json")).unwrap();
    assert_eq!(cgroup.file_name(), config.parent().unwrap().file_name());
    let config: Value = serde_json::from_slice(&fs::read(config).unwrap()).unwrap();
    let guest = config["machine-config"]["mem_size_mib"].as_u64().unwrap() << 20;
    assert_eq!(number("MemoryMax"), guest + guest / 64 + (64 << 20));
    assert_eq!(read(&cgroup, "memory.max"), number("MemoryMax").to_string());
    let disks = config["drives"].as_array().unwrap().len() as u64;
    assert_eq!(number("PidsMax"), 8 + processors + disks);
    assert_eq!(read(&cgroup, "pids.max"), number("PidsMax").to_string());
    assert_eq!(limits["CpuMax"], format!("{} 100000", processors * 100_000));
    assert_eq!(read(&cgroup, "cpu.max"), format!("{} 100000", processors * 100_000));
    assert_eq!(limits["Lack"], "");
    let mut expected = [world.process(JAILER), world.process("bulkhead-vmm")];
    expected.sort();
    let mut found: Vec<u32> =
        read(&cgroup, "cgroup.procs").lines().map(|line| line.parse().unwrap()).collect();
    found.sort();
    assert_eq!(found, expected);
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn a_vm_of_root_s_has_limits_for_as_long_as_it_runs() {
    let test = "a_vm_of_root_s_has_limits_for_as_long_as_it_runs";
    let Some(world) = World::new(test).filter(|_| is_root(test)) else { return };
    let Some(images) = Images::of(test, env!("CARGO_TARGET_TMPDIR")) else { return };
    let image = images.get("root");
    let limits = start(&world, &image, &["--rm", "--cpus", "2", "-m", "100M"], "limited");
    assert_limited(&world, &limits, 2);
    let cgroup = cgroup(&limits);
    assert!(cgroup.starts_with(Path::new(TOP).join("bulkhead")), "{cgroup:?}");
    world.bulkhead(&["exec", "limited", "echo", "here"], "").assert(0, "here\n", "");
    // Half of what is given besides the guest's memory does.
    let peak: u64 = read(&cgroup, "memory.peak").parse().unwrap();
    assert!(peak + (32 << 20) < limits["MemoryMax"].as_u64().unwrap(), "{peak}");
    world.bulkhead(&["kill", "limited"], "").assert(0, "limited\n", "");
    assert!(eventually(|| world.processes().is_empty()));
    assert!(!cgroup.exists());
    world.assert_nothing_left();
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn a_vm_that_is_out_of_memory_is_told_from_others() {
    let test = "a_vm_that_is_out_of_memory_is_told_from_others";
    let Some(world) = World::new(test).filter(|_| is_root(test)) else { return };
    let Some(images) = Images::of(test, env!("CARGO_TARGET_TMPDIR")) else { return };
    let limits = start(&world, &images.get("root"), &[], "poor");
    let cgroup = cgroup(&limits);
    // What it has already is more: the kernel finds a process to kill.
    fs::write(cgroup.join("memory.max"), "1M").unwrap();
    world.bulkhead(&["wait", "poor"], "").assert(0, "137\n", "");
    let format = "{{.State.OOMKilled}} {{.State.ExitCode}} {{.State.Error}}";
    let said = world.bulkhead(&["inspect", "--format", format, "poor"], "").stdout;
    assert!(
        said.starts_with("true 137 the host ran out of memory for the VM and killed it"),
        "{said}"
    );
    assert!(eventually(|| !cgroup.exists()));
    world.bulkhead(&["rm", "poor"], "").assert(0, "poor\n", "");
    world.assert_nothing_left();
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn what_a_killed_supervisor_leaves_goes_with_the_next_run() {
    let test = "what_a_killed_supervisor_leaves_goes_with_the_next_run";
    let Some(world) = World::new(test).filter(|_| is_root(test)) else { return };
    let Some(images) = Images::of(test, env!("CARGO_TARGET_TMPDIR")) else { return };
    let image = images.get("root");
    let left = cgroup(&start(&world, &image, &["--rm"], "killed"));
    let supervisor =
        world.bulkhead(&["inspect", "--format", "{{.State.Pid}}", "killed"], "").stdout;
    kill(supervisor.trim().parse().unwrap());
    assert!(eventually(|| world.processes().is_empty()));
    world.shell(&[], &image, "true").assert(0, "", "");
    assert!(!left.exists());
    world.bulkhead(&["rm", "killed"], "");
    world.assert_nothing_left();
}

/// A cgroup that is delegated to the user (linux/Documentation/admin-guide/cgroup-v2.rst, "Delegation"), with one in it for
/// whoever starts the VM. It goes with this value.
struct Delegated(PathBuf);

impl Delegated {
    fn new() -> Delegated {
        let path = Path::new(TOP).join(format!("delegated-{}", std::process::id()));
        fs::write(Path::new(TOP).join("cgroup.subtree_control"), "+memory +pids +cpu").unwrap();
        for path in [path.clone(), path.join("own")] {
            fs::create_dir(&path).unwrap();
            for file in ["", "cgroup.procs", "cgroup.subtree_control"] {
                chown(path.join(file), Some(USER), Some(USER)).unwrap();
            }
        }
        Delegated(path)
    }
}

impl Drop for Delegated {
    fn drop(&mut self) {
        for path in [self.0.join("own"), self.0.clone()] {
            let _ = fs::remove_dir(path);
        }
    }
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn a_user_s_vm_has_limits_where_that_is_delegated() {
    let test = "a_user_s_vm_has_limits_where_that_is_delegated";
    let Some(world) = World::new(test).filter(|_| is_root(test)) else { return };
    if !have(test, &PROGRAMS_OF_A_USER) {
        return;
    }
    world.give_to_user();
    let delegated = Delegated::new();
    let run = ["run", "--name", "box", "--rm", "--kernel", "kernel", "image", "sh", "-c", SCRIPT];
    let inspect = ["inspect", "--format", "{{json .VmLimits}}", "box"];
    let join = format!("echo $$ > {}/own/cgroup.procs && ", delegated.0.display());
    for before in ["", &*join] {
        let mut running = Running::start(&mut world.bulkhead_of_user(before, &run), "");
        running.expect("running\n");
        let said = Running::start(&mut world.bulkhead_of_user("", &inspect), "").wait();
        let limits = limits(&said.stdout);
        if before.is_empty() {
            assert_eq!(limits["Cgroup"], Value::Null);
            let why = "/sys/fs/cgroup is not delegated to this user, nor is one above it";
            assert_eq!(limits["Lack"], why);
        } else {
            assert!(cgroup(&limits).starts_with(delegated.0.join("bulkhead")));
            assert_limited(&world, &limits, 1);
        }
        running.signal(Signal::TERM);
        running.wait().assert(7, "", "");
    }
    assert!(!delegated.0.join("bulkhead").exists());
    world.assert_nothing_left();
}
