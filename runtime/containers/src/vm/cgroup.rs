//! The cgroup of one VM (cgroup v2): both processes of its VMM are in it from before the program starts, and nobody else.
//!
//! `…/bulkhead/RUN`, with the name of the run's folder. Whoever runs the VM holds a lock on it, which ends with them; one
//! without a lock belongs to nobody any more, and the next run removes it. A lock on `bulkhead` keeps that from happening
//! between a cgroup's making and its locking.

mod limits;
mod place;

use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub use limits::Limits;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FlockOperation, flock};

use self::place::Place;
use super::folder::lock_ended;
use crate::plan::VmConfig;

/// The cgroup that holds all of them.
const PARENT: &str = "bulkhead";

/// How often others may remove that in the moment in which it is to be used.
const TRIES: usize = 100;

/// How long killed processes may take to be gone, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// The end of a cgroup goes with this value, and with it whatever is still in there.
#[derive(Debug)]
pub(crate) struct VmCgroup {
    path: PathBuf,
    /// Ends with the file, and so with this process.
    _lock: File,
}

impl VmCgroup {
    /// One for this VM, if this process may make one, and what `inspect` says.
    pub(crate) fn make(config: &VmConfig, name: &str) -> (Option<Self>, Limits) {
        let made = place::find().and_then(|place| Self::make_in(&place, config, name));
        match made {
            Ok((cgroup, limits)) => (Some(cgroup), limits),
            Err(why) => (None, Limits::none(why)),
        }
    }

    fn make_in(place: &Place, config: &VmConfig, name: &str) -> Result<(Self, Limits), String> {
        let parent = place.path.join(PARENT);
        let failed =
            |error: io::Error| format!("cannot make a cgroup in {}: {error}", parent.display());
        let mut tries = TRIES;
        let (path, lock) = loop {
            tries -= 1;
            match claim(&parent, &place.controllers, name) {
                // The last VM's end came between.
                Err(error) if error.kind() == io::ErrorKind::NotFound && tries > 0 => {}
                result => break result.map_err(failed)?,
            }
        };
        let cgroup = Self { path, _lock: lock };
        let limits = Limits::set(&cgroup.path, config, &place.controllers);
        Ok((cgroup, limits))
    }

    /// Removes those of runs that are no more. What cannot be removed now can be next time.
    pub(crate) fn sweep() {
        for place in place::all().unwrap_or_default() {
            let parent = place.join(PARENT);
            if let Ok(lock) = File::open(&parent)
                && flock(&lock, FlockOperation::LockExclusive).is_ok()
            {
                sweep(&parent);
                let _ = fs::remove_dir(&parent);
            }
        }
    }

    /// Where a process that writes 0 joins.
    pub(crate) fn processes(&self) -> io::Result<File> {
        File::options().write(true).open(self.path.join("cgroup.procs"))
    }

    /// Whether this process is in there.
    pub(crate) fn has(&self, process: u32) -> bool {
        let processes = fs::read_to_string(self.path.join("cgroup.procs")).unwrap_or_default();
        processes.lines().any(|line| line.parse() == Ok(process))
    }

    /// Its VMM is not in it: it goes away again. What `inspect` says then.
    pub(crate) fn not_joined(self) -> Limits {
        Limits::none(format!("the VM's process may not be moved to {}", self.path.display()))
    }

    /// Whether one of its processes was killed for want of memory.
    pub(crate) fn was_out_of_memory(&self) -> bool {
        let events = fs::read_to_string(self.path.join("memory.events")).unwrap_or_default();
        let kills = events.lines().find_map(|line| line.strip_prefix("oom_kill "));
        kills.is_some_and(|kills| kills != "0")
    }

    /// Ends what is still in there, and waits for that.
    fn empty(&self) -> io::Result<()> {
        // Linux 5.14. Without it there is nothing to kill: the VMM has ended before.
        if let Ok(mut kill) = File::options().write(true).open(self.path.join("cgroup.kill")) {
            io::Write::write_all(&mut kill, b"1")?;
        }
        let mut events = File::open(self.path.join("cgroup.events"))?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut text = String::new();
            events.rewind()?;
            events.read_to_string(&mut text)?;
            let left = deadline.saturating_duration_since(Instant::now());
            if text.lines().any(|line| line == "populated 0") || left.is_zero() {
                return Ok(());
            }
            let left =
                Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
            let _ = poll(&mut [PollFd::new(&events, PollFlags::PRI)], Some(&left));
        }
    }
}

impl Drop for VmCgroup {
    fn drop(&mut self) {
        // What cannot be removed now can be next time.
        if fs::remove_dir(&self.path).is_err() {
            let _ = self.empty();
            let _ = fs::remove_dir(&self.path);
        }
        // Others may be in there.
        let _ = self.path.parent().map(fs::remove_dir);
    }
}

/// Makes a cgroup and locks it.
fn claim(parent: &Path, controllers: &[&str], name: &str) -> io::Result<(PathBuf, File)> {
    make_folder(parent)?;
    let lock = File::open(parent)?;
    flock(&lock, FlockOperation::LockExclusive)?;
    sweep(parent);
    place::add(parent, controllers)?;
    let path = parent.join(name);
    fs::create_dir(&path)?;
    let own = File::open(&path)?;
    flock(&own, FlockOperation::LockShared)?;
    Ok((path, own))
}

fn make_folder(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        result => result,
    }
}

/// Removes the cgroups of runs that are no more, unless their VMMs are still about to end.
fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir()
            && let Some(_lock) = lock_ended(&path)
        {
            let _ = fs::remove_dir(&path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{BootSource, Entropy, MachineConfig};

    fn config() -> VmConfig {
        VmConfig {
            boot_source: BootSource {
                kernel_image_path: "/kernel".into(),
                initrd_path: "/initrd".into(),
                boot_args: String::new(),
            },
            drives: vec![],
            machine_config: MachineConfig { vcpu_count: 2, mem_size_mib: 256 },
            vsock: None,
            network_interfaces: vec![],
            entropy: Entropy {},
        }
    }

    #[test]
    fn limits_are_written_where_they_count() {
        let work = tempfile::tempdir().unwrap();
        let place = Place { path: work.path().to_owned(), controllers: vec!["memory", "pids"] };
        let (cgroup, limits) = VmCgroup::make_in(&place, &config(), "run-a").unwrap();
        let parent = work.path().join("bulkhead");
        let read = |file: &str| fs::read_to_string(parent.join(file)).ok();
        assert_eq!(read("cgroup.subtree_control").unwrap(), "+memory +pids");
        assert_eq!(limits.path.as_deref(), Some(&*parent.join("run-a")));
        assert_eq!(read("run-a/memory.max").unwrap(), limits.memory.unwrap().to_string());
        assert_eq!(read("run-a/pids.max").unwrap(), limits.pids.unwrap().to_string());
        assert_eq!((read("run-a/cpu.max"), &limits.cpu), (None, &None));
        assert!(limits.lack.unwrap().contains("cpu"));
        // Nobody else's has the name.
        assert!(VmCgroup::make_in(&place, &config(), "run-a").unwrap_err().contains("bulkhead"));
        assert!(!cgroup.was_out_of_memory() && !cgroup.has(7));
        fs::write(cgroup.path.join("memory.events"), "max 9\noom 1\noom_kill 1\n").unwrap();
        fs::write(cgroup.path.join("cgroup.procs"), "70\n7\n").unwrap();
        assert!(cgroup.was_out_of_memory() && cgroup.has(7) && !cgroup.has(0));
        fs::write(cgroup.path.join("memory.events"), "oom_kill 0\noom_group_kill 1\n").unwrap();
        assert!(!cgroup.was_out_of_memory());
    }

    #[test]
    fn what_a_killed_run_leaves_is_swept_and_what_lives_is_not() {
        let work = tempfile::tempdir().unwrap();
        let place = Place { path: work.path().to_owned(), controllers: vec![] };
        let parent = work.path().join("bulkhead");
        let (live, _) = VmCgroup::make_in(&place, &config(), "run-live").unwrap();
        fs::create_dir(parent.join("run-dead")).unwrap();
        let (next, _) = VmCgroup::make_in(&place, &config(), "run-next").unwrap();
        assert!(live.path.is_dir() && next.path.is_dir() && !parent.join("run-dead").exists());
        drop((live, next));
        // Its one file is the kernel's on a real host.
        assert_eq!(fs::read_dir(&parent).unwrap().count(), 1);
    }
}
