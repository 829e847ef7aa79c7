use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::thread;

use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::thread::{UnshareFlags, unshare_unsafe};

use super::*;
use crate::network::netns::Netns;

/// Says, in the environment, below which folder the process that is going to be killed makes one.
const BASE: &str = "BULKHEAD_TEST_BASE";

/// Runs `test` where mounts are its own, with a folder, if this user may have such.
fn in_own_mounts(name: &str, test: fn(&Path)) {
    let inside = move || {
        // SAFETY: the thread has mounts, and a working directory, of its own from then on; it shares all else.
        unsafe { unshare_unsafe(UnshareFlags::NEWNS | UnshareFlags::FS) }
            .map_err(|error| error.to_string())?;
        let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
        mount_change("/", private).map_err(|error| error.to_string())?;
        let work = tempfile::tempdir().unwrap();
        // The folder that it is in is not there either.
        test(&work.path().join("run/networks"));
        Ok::<_, String>(())
    };
    if let Err(why) = thread::spawn(inside).join().unwrap() {
        println!("SKIPPED: {name}: no mounts of its own: {why}");
    }
}

fn mounts() -> String {
    fs::read_to_string("/proc/thread-self/mountinfo").unwrap()
}

fn count(base: &Path) -> usize {
    fs::read_dir(base).unwrap().count()
}

#[test]
fn a_namespace_is_there_until_its_owner_drops_it() {
    in_own_mounts("a_namespace_is_there_until_its_owner_drops_it", |base| {
        let before = mounts();
        let one = OwnNamespace::new(base).unwrap();
        let other = OwnNamespace::new(base).unwrap();
        fs::write(one.folder().join("setup.json"), "{}").unwrap();
        let netns = Netns::open(&one.path()).unwrap();
        assert!(!netns.is_own());
        let devices = netns.inside(|| fs::read_to_string("/proc/thread-self/net/dev").unwrap());
        // Two lines of headings, and lo.
        assert_eq!(devices.unwrap().lines().count(), 3);
        // Nobody takes what has an owner.
        assert!(OwnNamespace::adopt_dead(base).is_empty());
        drop(netns);
        drop((one, other));
        assert_eq!((mounts(), count(base)), (before, 0));
    });
}

/// The process that is going to be killed.
#[test]
fn an_owner_waits_for_its_end() {
    let Some(base) = std::env::var_os(BASE) else { return };
    let namespace = OwnNamespace::new(base.as_ref()).unwrap();
    fs::write(namespace.folder().join("setup.json"), "{}").unwrap();
    println!("\nmade");
    loop {
        thread::park();
    }
}

#[test]
fn what_a_killed_owner_leaves_is_adopted() {
    in_own_mounts("what_a_killed_owner_leaves_is_adopted", |base| {
        let before = mounts();
        let mut owner = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "network::namespace::tests::an_owner_waits_for_its_end",
                "--nocapture",
            ])
            .env(BASE, base)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(owner.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap() == "made"), "it ended before");
        assert!(OwnNamespace::adopt_dead(base).is_empty());
        owner.kill().unwrap();
        owner.wait().unwrap();
        let dead = OwnNamespace::adopt_dead(base);
        let [namespace] = &dead[..] else { panic!("{dead:?}") };
        // For whoever tears down what was made outside.
        assert_eq!(fs::read_to_string(namespace.folder().join("setup.json")).unwrap(), "{}");
        Netns::open(&namespace.path()).unwrap();
        assert!(OwnNamespace::adopt_dead(base).is_empty());
        drop(dead);
        assert_eq!((mounts(), count(base)), (before, 0));
    });
}

#[test]
fn half_made_ones_are_adopted_as_well() {
    in_own_mounts("half_made_ones_are_adopted_as_well", |base| {
        fs::create_dir_all(base).unwrap();
        fs::create_dir(base.join("net-empty")).unwrap();
        fs::create_dir(base.join("net-unmounted")).unwrap();
        fs::write(base.join("net-unmounted").join(NAMESPACE), "").unwrap();
        fs::create_dir(base.join("somebody-elses")).unwrap();
        let dead = OwnNamespace::adopt_dead(base);
        assert_eq!(dead.len(), 2);
        drop(dead);
        assert_eq!(count(base), 1);
    });
}

#[test]
fn why_there_is_none_is_one_line() {
    let work = tempfile::tempdir().unwrap();
    fs::write(work.path().join("file"), "").unwrap();
    let base = work.path().join("file/there");
    let text = host::text::in_one_line(&OwnNamespace::new(&base).unwrap_err());
    assert!(
        text.starts_with("cannot make ") && text.contains("file/there: Not a directory"),
        "{text}"
    );
    assert!(OwnNamespace::adopt_dead(&base).is_empty());
    assert!(!base.exists());
}
