//! What is left of a test in the system: processes, mounts, files.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// How long a VM may take to stop in order, on a busy machine, once whoever started it is gone.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `done` says so, or for so long that it never will.
pub fn eventually(done: impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        if Instant::now() > deadline {
            return false;
        }
        thread::sleep(Duration::from_millis(20));
    }
    true
}

/// Processes, besides this one, that have `folder` in their command line or environment: each was told of it, or has
/// inherited it.
pub(crate) fn processes(folder: &Path) -> Vec<u32> {
    let numbers = fs::read_dir("/proc").unwrap().flatten();
    let numbers = numbers.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.filter(|number| *number != std::process::id() && mentions(*number, folder)).collect()
}

fn mentions(process: u32, folder: &Path) -> bool {
    let folder = folder.as_os_str().as_encoded_bytes();
    // One that ends meanwhile, or that has ended and was not waited for yet, mentions nothing.
    ["cmdline", "environ"].iter().any(|file| {
        fs::read(format!("/proc/{process}/{file}"))
            .is_ok_and(|bytes| bytes.windows(folder.len()).any(|part| part == folder))
    })
}

/// Whether something is mounted below `folder`.
pub(crate) fn has_mounts(folder: &Path) -> bool {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    mounts
        .lines()
        .filter_map(|line| line.split(' ').nth(1))
        .any(|at| Path::new(at).starts_with(folder))
}

/// All that is below `folder`, if it is there.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(entry.path());
            }
            files.push(entry.path());
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn processes_are_found_by_arguments_and_by_inheritance() {
        let folder = tempfile::tempdir().unwrap();
        let told = Command::new("sleep").arg("100").env("SOME_FOLDER", folder.path()).spawn();
        // The shell is told, and starts nothing else: the folder is a word that it does not use.
        let mut named = Command::new("sh");
        named.args(["-c", "read line"]).arg(folder.path()).stdin(Stdio::piped());
        let named = named.spawn();
        let mut children = [told.unwrap(), named.unwrap()];
        let expected = BTreeSet::from(children.each_ref().map(|child| child.id()));
        // A process shows no arguments for a moment after its parent has gone on: the kernel wakes the parent of a `vfork`
        // first (linux/fs/exec.c, begin_new_exec), and notes where they are at the end.
        let found = || BTreeSet::from_iter(processes(folder.path()));
        assert!(eventually(|| found() == expected), "{:?} is not {expected:?}", found());
        for child in &mut children {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        assert!(processes(folder.path()).is_empty());
    }

    #[test]
    fn files_are_found_at_any_depth() {
        let folder = tempfile::tempdir().unwrap();
        assert!(files(folder.path()).is_empty() && files(&folder.path().join("none")).is_empty());
        fs::create_dir_all(folder.path().join("a/b")).unwrap();
        fs::write(folder.path().join("a/b/c"), "").unwrap();
        assert_eq!(files(folder.path()).len(), 3);
        assert!(!has_mounts(folder.path()) && has_mounts(Path::new("/proc")));
    }
}
