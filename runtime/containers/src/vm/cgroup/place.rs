//! Where a VM's cgroup may be made: at the top for root, as Firecracker's jailer and docker's cgroupfs driver do; for a user
//! in the nearest cgroup that is theirs.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, accessat};
use rustix::process::geteuid;

/// What can be limited, in the kernel's words (linux/Documentation/admin-guide/cgroup-v2.rst, "Controllers").
pub(super) const CONTROLLERS: [&str; 3] = ["memory", "pids", "cpu"];

/// What a cgroup says it has, and gives to those in it.
pub(super) const AVAILABLE: &str = "cgroup.controllers";
pub(super) const ENABLED: &str = "cgroup.subtree_control";

/// A cgroup in which others can be made, and which of [`CONTROLLERS`] they get.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) path: PathBuf,
    pub(super) controllers: Vec<&'static str>,
}

/// The one for this process; else in one line why there is none.
pub(super) fn find() -> Result<Place, String> {
    choose(&all()?, geteuid().is_root())
}

/// All that are thought of.
pub(super) fn all() -> Result<Vec<PathBuf>, String> {
    let read = |path: &str| {
        fs::read_to_string(path).map_err(|error| format!("cannot read {path}: {error}"))
    };
    let (mounts, own) = (read("/proc/self/mountinfo")?, read("/proc/self/cgroup")?);
    candidates(&mounts, &own, geteuid().is_root())
}

/// For root the top of what is mounted, for a user their own cgroup and all above it, the nearest first.
fn candidates(mounts: &str, own: &str, is_root: bool) -> Result<Vec<PathBuf>, String> {
    let (root, top) = mounts.lines().find_map(mount).ok_or("this host has no cgroup v2")?;
    if is_root {
        return Ok(vec![top]);
    }
    // cgroups(7): "0::" and the path; where it is not below what is mounted, nothing of it can be seen.
    let own = own.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or_default();
    let below = Path::new(own).strip_prefix(&root);
    let below = below.map_err(|_| format!("{} does not show the cgroup {own}", top.display()))?;
    let nearest: PathBuf = top.join(below).components().collect();
    Ok(nearest.ancestors().take_while(|path| path.starts_with(&top)).map(Path::to_owned).collect())
}

/// What of cgroup v2 is mounted, and where, by a line of proc_pid_mountinfo(5).
fn mount(line: &str) -> Option<(PathBuf, PathBuf)> {
    let (mount, kind) = line.split_once(" - ")?;
    let mut fields = mount.split(' ').skip(3);
    let (root, place) = (fields.next()?, fields.next()?);
    (kind.split(' ').next()? == "cgroup2").then(|| (root.into(), place.into()))
}

fn choose(candidates: &[PathBuf], is_root: bool) -> Result<Place, String> {
    let mut why = None;
    for path in candidates {
        if !is_root && !is_delegated(path) {
            continue;
        }
        match enable(path, is_root) {
            Ok(controllers) => return Ok(Place { path: path.clone(), controllers }),
            // What is nearest says most.
            Err(said) => why = why.or(Some(said)),
        }
    }
    let own = candidates.first().map(|path| path.display().to_string()).unwrap_or_default();
    Err(why.unwrap_or_else(|| format!("{own} is not delegated to this user, nor is one above it")))
}

/// As cgroup-v2.rst, "Delegation", has it: the folder and what moves processes into it may be written to.
fn is_delegated(path: &Path) -> bool {
    let may = |path: &Path, access| accessat(CWD, path, access, AtFlags::EACCESS).is_ok();
    may(path, Access::WRITE_OK | Access::EXEC_OK)
        && may(&path.join("cgroup.procs"), Access::WRITE_OK)
}

/// What cgroups in this one get. As root what is missing is added; a user takes what others have arranged, if they have.
fn enable(path: &Path, is_root: bool) -> Result<Vec<&'static str>, String> {
    let list = |file: &str| {
        let path = path.join(file);
        let text = fs::read_to_string(&path);
        text.map_err(|error| format!("cannot read {}: {error}", path.display()))
    };
    let among = |text: &str| {
        let has = |name: &&str| text.split_whitespace().any(|word| word == *name);
        CONTROLLERS.into_iter().filter(has).collect::<Vec<_>>()
    };
    let enabled = among(&list(ENABLED)?);
    let available = among(&list(AVAILABLE)?);
    if available.is_empty() {
        let all = CONTROLLERS.join(", ");
        return Err(format!("{} has none of the controllers {all} of cgroup v2", path.display()));
    }
    if enabled.len() == available.len() || (!is_root && !enabled.is_empty()) {
        return Ok(enabled);
    }
    match add(path, &available) {
        Ok(()) => Ok(available),
        Err(_) if !enabled.is_empty() => Ok(enabled),
        // cgroup-v2.rst, "No Internal Process Constraint".
        Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {
            let what = "has processes of its own, so that what is in it cannot be limited";
            Err(format!("{} {what} (systemd: DelegateSubgroup=)", path.display()))
        }
        Err(error) => Err(format!("cannot write {}: {error}", path.join(ENABLED).display())),
    }
}

/// Gives these to what is in the cgroup.
pub(super) fn add(path: &Path, controllers: &[&str]) -> io::Result<()> {
    let words: Vec<String> = controllers.iter().map(|name| format!("+{name}")).collect();
    fs::write(path.join(ENABLED), words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIFIED: &str = "25 30 0:22 / /proc rw - proc proc rw\n\
                           30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
    const OWN: &str = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/a.scope\n";

    /// A cgroup as the kernel shows it.
    fn cgroup(path: &Path, available: &str, enabled: &str) {
        fs::create_dir_all(path).unwrap();
        fs::write(path.join(AVAILABLE), available).unwrap();
        fs::write(path.join(ENABLED), enabled).unwrap();
        fs::write(path.join("cgroup.procs"), "").unwrap();
    }

    #[test]
    fn root_s_are_at_the_top_and_a_user_s_near_their_own() {
        let top = |mounts, own, is_root| candidates(mounts, own, is_root).map(|all| all[0].clone());
        assert_eq!(top(UNIFIED, OWN, true), Ok("/sys/fs/cgroup".into()));
        let all = candidates(UNIFIED, OWN, false).unwrap();
        let service = "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service";
        assert_eq!(all[0], Path::new(service).join("app.slice/a.scope"));
        assert_eq!((all[2].as_path(), all.len()), (Path::new(service), 6));
        assert_eq!(all[5], Path::new("/sys/fs/cgroup"));
        let root = candidates(UNIFIED, "0::/\n", false).unwrap();
        assert_eq!((root.len(), root[0].to_str()), (1, Some("/sys/fs/cgroup")));
        // In a container without a cgroup namespace: its part of the tree is mounted.
        let part = "30 23 0:26 /docker/1 /sys/fs/cgroup ro - cgroup2 cgroup rw\n";
        assert_eq!(top(part, "0::/docker/1/x\n", false), Ok("/sys/fs/cgroup/x".into()));
        assert!(top(part, "0::/docker/2\n", false).unwrap_err().contains("/docker/2"));
        // Hybrid, without cgroup v2.
        let old = "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n";
        assert_eq!(top(old, "9:cpu:/\n", true), Err("this host has no cgroup v2".to_owned()));
    }

    #[test]
    fn root_adds_what_is_missing_and_a_user_takes_what_there_is() {
        let work = tempfile::tempdir().unwrap();
        let path = work.path().to_owned();
        cgroup(&path, "cpuset cpu io memory pids\n", "memory pids\n");
        let place = |controllers: &[&'static str]| {
            Ok(Place { path: path.clone(), controllers: controllers.to_vec() })
        };
        assert_eq!(choose(std::slice::from_ref(&path), false), place(&["memory", "pids"]));
        assert_eq!(fs::read_to_string(path.join(ENABLED)).unwrap(), "memory pids\n");
        assert_eq!(choose(std::slice::from_ref(&path), true), place(&["memory", "pids", "cpu"]));
        assert_eq!(fs::read_to_string(path.join(ENABLED)).unwrap(), "+memory +pids +cpu");
        // Just delegated: nobody has arranged anything.
        cgroup(&path, "memory pids\n", "\n");
        assert_eq!(choose(std::slice::from_ref(&path), false), place(&["memory", "pids"]));
    }

    #[test]
    fn why_there_is_no_place_is_one_line() {
        let work = tempfile::tempdir().unwrap();
        let (upper, own) = (work.path().join("a"), work.path().join("a/b"));
        cgroup(&upper, "", "");
        cgroup(&own, "\n", "\n");
        let why = choose(&[own.clone(), upper.clone()], true).unwrap_err();
        assert!(why.contains("a/b has none of the controllers memory, pids, cpu"), "{why}");
        // Nobody may move processes there.
        fs::remove_file(own.join("cgroup.procs")).unwrap();
        fs::remove_file(upper.join("cgroup.procs")).unwrap();
        let why = choose(&[own, upper], false).unwrap_err();
        assert!(why.ends_with("a/b is not delegated to this user, nor is one above it"), "{why}");
        assert!(!why.contains('\n'));
    }
}
