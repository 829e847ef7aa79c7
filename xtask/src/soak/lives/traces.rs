//! What a machine has more of when something is left of a life.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Where what nobody has named a folder for could be: whole folders, of which the first is everybody's and only what is
/// called after us counts.
const SHARED: &str = "/tmp";
const OWN: [&str; 2] = ["/dev/shm", "/run"];

/// How things of ours are called.
const NAME: &str = "bulkhead";

/// Lists of the kernel's in which there is nothing of ours while no container lives: System V's shared memory, queues
/// and semaphores (proc_sysvipc(5)).
const KERNEL_LISTS: [&str; 3] = ["/proc/sysvipc/shm", "/proc/sysvipc/msg", "/proc/sysvipc/sem"];

/// A line for each thing, of any kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traces(BTreeSet<String>);

impl Traces {
    /// What there is. Of a machine that is `alone` with lives all; of another what belongs to `folder`. Files of
    /// running VMs are another matter: they are not looked for in `passing`.
    pub fn look(folder: &Path, passing: &[PathBuf], alone: bool) -> Traces {
        let mut traces = Traces::default();
        let own = files(folder, passing);
        traces.add_locks(&own);
        traces.0.extend(own.iter().map(|path| format!("file {}", path.display())));
        let folder = folder.display().to_string();
        let is_ours = |line: &str| alone || line.contains(&folder);
        let mounts = lines("/proc/self/mountinfo");
        traces
            .0
            .extend(mounts.iter().filter(|line| is_ours(line)).map(|line| format!("mount {line}")));
        traces.add_sockets(is_ours);
        if alone {
            traces.add_namespaces();
            traces.add_cgroups(&mounts);
            traces.add_loop_devices();
            let is_called = |name: &str| name.contains(NAME);
            traces.add_names(SHARED, is_called);
            OWN.iter().for_each(|folder| traces.add_names(folder, |_| true));
            for list in KERNEL_LISTS {
                traces.0.extend(lines(list).into_iter().map(|line| format!("{list} {line}")));
            }
        }
        traces
    }

    /// What is here and was not there.
    pub fn since(&self, before: &Traces) -> Vec<String> {
        self.0.difference(&before.0).cloned().collect()
    }

    /// Locks on these files (proc_locks(5): the sixth field is `major:minor:inode`, the first two hexadecimal).
    fn add_locks(&mut self, files: &[PathBuf]) {
        let locks = lines("/proc/locks");
        for path in files {
            let Ok(metadata) = path.symlink_metadata() else { continue };
            let device = metadata.dev();
            let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
            let place = format!("{major:02x}:{minor:02x}:{}", metadata.ino());
            let has = |line: &&String| line.split_whitespace().any(|word| word == place);
            self.0.extend(
                locks.iter().filter(has).map(|line| format!("lock on {}: {line}", path.display())),
            );
        }
    }

    /// Unix sockets with a name, of files or not (proc_net_unix(5)).
    fn add_sockets(&mut self, is_ours: impl Fn(&str) -> bool) {
        for line in lines("/proc/net/unix") {
            if let Some(name) = line.split_whitespace().nth(7).filter(|name| is_ours(name)) {
                self.0.insert(format!("socket {name}"));
            }
        }
    }

    /// Those of all processes (namespaces(7)).
    fn add_namespaces(&mut self) {
        for process in names("/proc").filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
        {
            let folder = format!("/proc/{process}/ns");
            for kind in names(&folder) {
                // A process that ends meanwhile has none.
                if let Ok(namespace) = fs::read_link(format!("{folder}/{kind}")) {
                    self.0.insert(format!("namespace {}", namespace.display()));
                }
            }
        }
    }

    /// Control groups below each of their mounts (proc_pid_mountinfo(5): where, fifth; its kind, after a dash).
    fn add_cgroups(&mut self, mounts: &[String]) {
        for mount in mounts.iter().filter(|mount| mount.contains(" - cgroup")) {
            let Some(root) = mount.split(' ').nth(4) else { continue };
            let groups = files(Path::new(root), &[]);
            let groups = groups.iter().filter(|path| path.is_dir());
            self.0.extend(groups.map(|path| format!("cgroup {}", path.display())));
        }
    }

    /// Those that have a file.
    fn add_loop_devices(&mut self) {
        for device in names("/sys/block") {
            if let Ok(file) = fs::read_to_string(format!("/sys/block/{device}/loop/backing_file")) {
                self.0.insert(format!("{device} of {}", file.trim_end()));
            }
        }
    }

    fn add_names(&mut self, folder: &str, counts: impl Fn(&str) -> bool) {
        let counted = names(folder).filter(|name| counts(name));
        self.0.extend(counted.map(|name| format!("file {folder}/{name}")));
    }
}

fn lines(path: &str) -> Vec<String> {
    // Not every kernel has every list.
    fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
}

fn names(folder: impl AsRef<Path>) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned())
}

/// All that is below `folder`, but what is below one of `without`.
pub fn files(folder: &Path, without: &[PathBuf]) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) && !without.contains(&path) {
                folders.push(path.clone());
            }
            files.push(path);
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use rustix::fs::{FlockOperation, flock};

    use super::*;

    #[test]
    fn a_file_a_lock_and_a_socket_are_seen_and_what_is_passing_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap();
        let passing = [path.join("run")];
        fs::create_dir(&passing[0]).unwrap();
        fs::write(path.join("old"), "").unwrap();
        let look = || Traces::look(&path, &passing, false);
        let before = look();
        fs::write(passing[0].join("x"), "").unwrap();
        assert!(look().since(&before).is_empty());

        let new = fs::File::create(path.join("new")).unwrap();
        flock(&new, FlockOperation::LockExclusive).unwrap();
        let socket = UnixListener::bind(path.join("socket")).unwrap();
        let now = look();
        let left = now.since(&before);
        for what in ["file ", "lock on ", "socket "] {
            assert!(left.iter().any(|line| line.starts_with(what)), "{what}: {left:?}");
        }
        drop((new, socket));
        let names = ["new", "socket"].map(|name| format!("file {}", path.join(name).display()));
        assert_eq!(look().since(&before), names);
        assert!(look().since(&now).is_empty());
    }

    #[test]
    fn a_machine_s_namespaces_are_seen() {
        let own = fs::read_link("/proc/self/ns/pid").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let Traces(all) = Traces::look(folder.path(), &[], true);
        assert!(all.contains(&format!("namespace {}", own.display())), "{all:?}");
        assert!(all.iter().any(|line| line.starts_with("mount ")));
    }
}
