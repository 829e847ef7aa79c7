//! A network namespace without a name: it is there as long as its descriptor is open, whatever ends this process.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::thread;

use rustix::thread::{UnshareFlags, unshare_unsafe};

/// One that has nothing but a loopback interface, which is down (network_namespaces(7)).
pub struct Namespace {
    file: OwnedFd,
}

impl Namespace {
    /// A new one.
    pub fn new() -> io::Result<Self> {
        let make = || {
            // SAFETY: it is a network namespace of this thread's own, which ends with this closure; its descriptors stay shared
            // with all other threads.
            unsafe { unshare_unsafe(UnshareFlags::NEWNET) }?;
            File::open("/proc/thread-self/ns/net")
        };
        let file = thread::spawn(make).join().map_err(|_| io::ErrorKind::Other)??;
        Ok(Self { file: file.into() })
    }

    /// Where other processes find it, as long as this value lives: proc_pid_fd(5).
    pub fn path(&self) -> PathBuf {
        format!("/proc/{}/fd/{}", std::process::id(), self.file.as_raw_fd()).into()
    }
}

/// Moves the calling thread into network and mount namespaces of its own, where /run is empty. Its children are there too.
#[cfg(test)]
pub fn enter_new() -> io::Result<()> {
    use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};
    // SAFETY: descriptors stay shared; the working directory and the mounts become this thread's own, and no other thread
    // relies on its having the same.
    unsafe { unshare_unsafe(UnshareFlags::NEWNET | UnshareFlags::NEWNS) }?;
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private)?;
    mount("none", "/run", "tmpfs", MountFlags::empty(), None)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_namespace_is_found_by_its_path() {
        if !rustix::process::geteuid().is_root() {
            println!("SKIPPED: a_namespace_is_found_by_its_path: only root can do this");
            return;
        }
        let namespace = Namespace::new().unwrap();
        let inode = |path: PathBuf| std::fs::metadata(path).unwrap().ino();
        assert_ne!(inode(namespace.path()), inode("/proc/self/ns/net".into()));
        let path = namespace.path();
        drop(namespace);
        assert!(!path.exists() || !path.starts_with("net:"));
    }
}
