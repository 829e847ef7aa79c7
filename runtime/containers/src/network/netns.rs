//! A network namespace that has a name: what `ip netns add`, CNI, docker and podman make, and `/proc/PID/ns/net`.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FlockOperation, Mode, OFlags, flock, fstatfs, openat};
use rustix::io::Errno;
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space, unshare_unsafe};

/// NSFS_MAGIC, linux/magic.h: the file system of namespaces.
const NSFS_MAGIC: i64 = 0x6e73_6673;

/// How often a lock is asked for.
const STEP: Duration = Duration::from_millis(5);

/// Where the namespaces are in which this thread and the machine's first process are.
const OWN: [&str; 2] = ["/proc/thread-self/ns/net", "/proc/1/ns/net"];

/// An open network namespace, which lives at least as long as this.
#[derive(Debug)]
pub struct Netns {
    file: File,
}

/// Why a path is no network namespace for us.
#[derive(Debug, thiserror::Error)]
pub enum NetnsError {
    /// There is nothing to open.
    #[error("cannot open it")]
    Open(#[source] io::Error),
    /// It is another kind of file, or of namespace.
    #[error(
        "is no network namespace; must be one, as in /run/netns (ip netns, CNI), /run/docker/netns or /proc/PID/ns/net"
    )]
    Kind,
    /// It may not be entered.
    #[error("may not be entered by this user: it takes root (CAP_SYS_ADMIN)")]
    Permission,
    /// It cannot be entered.
    #[error("cannot be entered")]
    Enter(#[source] io::Error),
    /// Somebody has it locked.
    #[error("another process keeps it locked")]
    Locked,
}

impl Netns {
    /// One that has nothing but a loopback interface, which is down (network_namespaces(7)). It has no name, and is there as
    /// long as its descriptor is open, whatever ends this process.
    pub fn new() -> io::Result<Self> {
        let make = || {
            // SAFETY: it is a network namespace of this thread's own, which ends with this closure; its descriptors stay shared
            // with all other threads.
            unsafe { unshare_unsafe(UnshareFlags::NEWNET) }?;
            Ok(Self { file: File::open("/proc/thread-self/ns/net")? })
        };
        thread::scope(|scope| {
            let thread =
                thread::Builder::new().name("new-netns".to_owned()).spawn_scoped(scope, make);
            thread?.join().unwrap_or_else(|panic| resume_unwind(panic))
        })
    }

    /// Where other processes find it, as long as this value lives: proc_pid_fd(5).
    pub fn path(&self) -> PathBuf {
        format!("/proc/{}/fd/{}", std::process::id(), self.file.as_raw_fd()).into()
    }

    /// The namespace at `path`. Nothing but a namespace is opened: of a device or a pipe that would have effects.
    pub fn open(path: &Path) -> Result<Self, NetnsError> {
        let open = |path: &Path, flags| {
            openat(CWD, path, flags | OFlags::CLOEXEC, Mode::empty())
                .map_err(|error| NetnsError::Open(error.into()))
        };
        let place = open(path, OFlags::PATH)?;
        let kind = fstatfs(&place).map_err(|error| NetnsError::Open(error.into()))?.f_type;
        if kind as i64 != NSFS_MAGIC {
            return Err(NetnsError::Kind);
        }
        let number = place.as_raw_fd();
        let file = open(Path::new(&format!("/proc/self/fd/{number}")), OFlags::RDONLY)?;
        Ok(Self { file: file.into() })
    }

    /// Whether it is the namespace of this thread, or of the whole machine.
    pub fn is_own(&self) -> bool {
        let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
        let this = self.file.metadata().map(identity).ok();
        // Who may not look at the first process is not in its place either.
        OWN.iter().any(|path| this.is_some() && fs::metadata(path).map(identity).ok() == this)
    }

    /// Does something in it, on a thread that is there for nothing else: this thread never leaves its own.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, NetnsError> {
        let work = || {
            let kind = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(self.file.as_fd(), kind).map_err(|error| match error {
                // setns(2): the descriptor's namespace is of another kind.
                Errno::INVAL => NetnsError::Kind,
                Errno::PERM => NetnsError::Permission,
                error => NetnsError::Enter(error.into()),
            })?;
            Ok(work())
        };
        thread::scope(|scope| {
            let thread = thread::Builder::new().name("netns".to_owned()).spawn_scoped(scope, work);
            thread.map_err(NetnsError::Enter)?.join().unwrap_or_else(|panic| resume_unwind(panic))
        })
    }

    /// Keeps others of ours from changing what is in it, for as long as the lock is held. Waits for it as long as that.
    pub fn lock(&self, patience: Duration) -> Result<NetnsLock, NetnsError> {
        // A description of its own: a second lock of this process waits like anybody else's.
        let number = self.file.as_raw_fd();
        let file = File::open(format!("/proc/self/fd/{number}")).map_err(NetnsError::Open)?;
        let deadline = Instant::now() + patience;
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(NetnsLock { _file: file }),
                Err(Errno::AGAIN | Errno::INTR) if Instant::now() < deadline => thread::sleep(STEP),
                Err(Errno::AGAIN | Errno::INTR) => return Err(NetnsError::Locked),
                Err(error) => return Err(NetnsError::Open(error.into())),
            }
        }
    }
}

impl AsFd for Netns {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// A lock on a namespace, which ends with it.
#[derive(Debug)]
pub struct NetnsLock {
    _file: File,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_is_found_by_its_path() {
        if !rustix::process::geteuid().is_root() {
            println!("SKIPPED: a_namespace_is_found_by_its_path: only root can do this");
            return;
        }
        let namespace = Netns::new().unwrap();
        let found = fs::metadata(namespace.path()).unwrap();
        assert_ne!(found.ino(), fs::metadata("/proc/self/ns/net").unwrap().ino());
    }
}
