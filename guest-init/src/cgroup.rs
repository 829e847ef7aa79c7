//! The container's control group: its limits, its counters, its freezer
//! (linux/Documentation/admin-guide/cgroup-v2.rst).

mod bpf;
mod devices;

use std::fs;
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use protocol::Statistics;
use rustix::mount::{MountFlags, mount};

use crate::error::{During, StartError};
use crate::log::log;
use crate::root::folder;

/// Where guest-init has the hierarchy.
const HIERARCHY: &str = "/sys/fs/cgroup";
/// The container's group.
const GROUP: &str = "/sys/fs/cgroup/container";

/// What guest-init and the kernel keep when the container takes all it can get, in bytes.
const RESERVE: u64 = 16 << 20;

/// The most processes and threads that the container may have at once: podman's default (containers.conf(5), `pids_limit`).
/// Far more than services need, and too few for a fork bomb to use up the kernel's memory or numbers.
const MAX_PIDS: u32 = 2048;

/// How long processes may take to stand still, or to be gone: one that waits for a disk is late.
const PATIENCE: Duration = Duration::from_secs(10);
const GLANCE: Duration = Duration::from_millis(2);

/// Makes the group, which may use few devices. A controller that the kernel lacks limits and counts nothing; but no container
/// runs without the wall before the machine's disks.
pub fn make() -> Result<(), StartError> {
    folder("/sys")?;
    mount("sysfs", "/sys", "sysfs", MountFlags::empty(), None).during("mount sysfs on /sys")?;
    mount("cgroup2", HIERARCHY, "cgroup2", MountFlags::empty(), None)
        .during("mount the cgroup hierarchy")?;
    if let Err(error) = delegate() {
        log(format_args!("cgroup controllers: {error}"));
    }
    fs::create_dir(GROUP).during("make the container's cgroup")?;
    if let Err(error) = fs::write(format!("{GROUP}/pids.max"), MAX_PIDS.to_string()) {
        log(format_args!("cgroup limit of processes: {error}"));
    }
    devices::limit(&fs::File::open(GROUP).during("open the container's cgroup")?)
}

/// Gives the groups below the hierarchy's root all controllers that the kernel has, in one step: each takes a grace period.
fn delegate() -> io::Result<()> {
    let available = fs::read_to_string(format!("{HIERARCHY}/cgroup.controllers"))?;
    let all: Vec<String> = available.split_whitespace().map(|name| format!("+{name}")).collect();
    fs::write(format!("{HIERARCHY}/cgroup.subtree_control"), all.join(" "))
}

/// Limits the container's memory to so many bytes, or to what there is where that is less.
pub fn limit_memory(wanted: u64) {
    let most = available_memory().map(|available| available.saturating_sub(RESERVE).max(RESERVE));
    let limit = most.map_or(wanted, |most| most.min(wanted));
    if limit < wanted {
        log(format_args!(
            "the container has {limit} bytes of memory, not {wanted}: no more is free"
        ));
    }
    if let Err(error) = fs::write(format!("{GROUP}/memory.max"), limit.to_string()) {
        log(format_args!("cgroup memory limit: {error}"));
    }
}

/// MemAvailable of /proc/meminfo, in bytes.
fn available_memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? << 10)
}

/// Puts the calling process into the group.
pub fn join() -> io::Result<()> {
    fs::write(format!("{GROUP}/cgroup.procs"), "0")
}

/// Kills every process of the group, and waits until they are gone.
pub fn kill() {
    // Frozen ones die as well.
    if let Err(error) = fs::write(format!("{GROUP}/cgroup.kill"), "1") {
        log(format_args!("kill the container's processes: {error}"));
    }
    if !wait_for("populated 0") {
        log("the container's processes do not end");
    }
}

/// Lets no process of the group run.
pub fn freeze() -> Result<(), StartError> {
    fs::write(format!("{GROUP}/cgroup.freeze"), "1").during("freeze the container")?;
    if wait_for("frozen 1") {
        return Ok(());
    }
    // Half frozen is neither one nor the other.
    thaw()?;
    Err(io::Error::from(io::ErrorKind::TimedOut)).during("freeze the container")
}

/// Lets them run again.
pub fn thaw() -> Result<(), StartError> {
    fs::write(format!("{GROUP}/cgroup.freeze"), "0").during("thaw the container")
}

/// Waits for a line of cgroup.events.
fn wait_for(line: &str) -> bool {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let events = fs::read_to_string(format!("{GROUP}/cgroup.events")).unwrap_or_default();
        if events.lines().any(|event| event == line) {
            return true;
        }
        if Instant::now() > deadline {
            return false;
        }
        thread::sleep(GLANCE);
    }
}

/// Whether the kernel has killed one of its processes for want of memory.
pub fn ran_out_of_memory() -> bool {
    value(&read("memory.events"), "oom_kill") > 0
}

/// What it uses.
pub fn statistics() -> Statistics {
    let number = |file: &str| read(file).trim().parse().unwrap_or(0);
    let used: u64 = number("memory.current");
    let io = read("io.stat");
    Statistics {
        cpu_nanoseconds: value(&read("cpu.stat"), "usage_usec").saturating_mul(1000),
        memory_bytes: used.saturating_sub(value(&read("memory.stat"), "inactive_file")),
        memory_limit: number("memory.max"),
        pids: number("pids.current"),
        block_read_bytes: sum(&io, "rbytes"),
        block_written_bytes: sum(&io, "wbytes"),
    }
}

/// A file of the group. One whose controller the kernel lacks reads as empty.
fn read(file: &str) -> String {
    fs::read_to_string(Path::new(GROUP).join(file)).unwrap_or_default()
}

/// The value of a flat keyed file's line `KEY VALUE`.
fn value(text: &str, key: &str) -> u64 {
    let values = text.lines().filter_map(|line| line.split_once(' '));
    values.filter(|(name, _)| *name == key).find_map(|(_, value)| value.parse().ok()).unwrap_or(0)
}

/// The sum of the values of `KEY=VALUE` in a nested keyed file.
fn sum(text: &str, key: &str) -> u64 {
    let pairs = text.split_ascii_whitespace().filter_map(|word| word.split_once('='));
    let values = pairs.filter(|(name, _)| *name == key).filter_map(|(_, value)| value.parse().ok());
    values.fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_found_by_name() {
        let text = "usage_usec 12\nuser_usec 3\noom 1\noom_kill 2\n";
        assert_eq!((value(text, "usage_usec"), value(text, "oom_kill")), (12, 2));
        assert_eq!((value(text, "usage"), value("", "oom_kill")), (0, 0));
        let text = "254:0 rbytes=100 wbytes=7 rios=1\n254:16 rbytes=11 wbytes=0\n7:0 \n";
        assert_eq!((sum(text, "rbytes"), sum(text, "wbytes"), sum(text, "x")), (111, 7, 0));
    }
}
