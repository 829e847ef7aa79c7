//! Where the networks of an ordinary user are: one network namespace for all of them, with user, mount and process namespaces
//! around it, in which the user is root. Bridges, firewall, names and all else that a network needs is in there as it is on the
//! host for root.
//!
//! ```text
//!   host                │ home
//!   pasta ── sockets    │    bulkhead-up ── bridge ── veth │ eth0 ── TAP ═ descriptor ═ VM
//!     └─ runs ──────────┼─▶ bulkhead network-home          └ namespace of a container
//!   bulkhead network-join ─ enters, for each container
//! ```
//!
//! The first who needs it starts it, and it ends after the last: with its first process all others in it end, and with them the
//! namespaces, whatever is left in those. One file tells of it, `network-home` in the folder of this user's running VMs: who is in
//! there has a shared lock (`flock`), and the first process another (`fcntl`), by which it is found.

mod inside;
mod start;

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use rustix::process::{
    Flock, FlockOffsetType, FlockType, Pid, PidfdFlags, fcntl_getlk, pidfd_open,
};
use rustix::thread::{ThreadNameSpaceType, move_into_thread_name_spaces};
use thiserror::Error;

use crate::network::pasta;
pub use inside::hold;
use start::start;

/// The hidden command that is its first process.
pub const HOME: &str = "network-home";

/// Why there is none.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum HomeError {
    #[error(
        "networks of names of a user who is not root need pasta, which connects them with the world: apt-get install passt"
    )]
    NoPasta,
    #[error("{path}: cannot {action} it")]
    File { action: &'static str, path: PathBuf, source: io::Error },
    #[error("cannot start pasta, which connects a user's networks with the world")]
    Start(#[source] io::Error),
    #[error("there are no namespaces for a user's networks: {why}; pasta says: {said}")]
    Refused { why: String, said: String },
    #[error("the namespaces of a user's networks were not ready within {seconds} s: {said}")]
    Silent { seconds: u64, said: String },
    #[error("cannot enter the namespaces of this user's networks")]
    Enter(#[source] io::Error),
    #[error("cannot {action} in the namespaces of a user's networks")]
    Prepare { action: &'static str, source: io::Error },
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> HomeError {
    let path = path.to_owned();
    move |source| HomeError::File { action, path, source }
}

/// Says what is missing for networks of a user who is not root, as far as that can be seen.
pub fn check() -> Result<(), HomeError> {
    pasta::find().map(drop).ok_or(HomeError::NoPasta)
}

/// What keeps a home: it is there as long as somebody has this, unless it is killed.
pub struct Stay {
    _file: File,
}

/// Moves this process, which has one thread, and its future children into the home of the user whose folder of running VMs this
/// is. Its own process namespace stays what it is.
pub fn enter(base: &Path) -> Result<Stay, HomeError> {
    let path = base.join(HOME);
    let lock = lock(base)?;
    let file = open(&path)?;
    let mut found = find(&file).map_err(HomeError::Enter)?;
    if found.is_none() {
        start(&path)?;
        found = find(&file).map_err(HomeError::Enter)?;
    }
    drop(lock);
    let home = found.ok_or_else(|| HomeError::Enter(Errno::SRCH.into()))?;
    let all = ThreadNameSpaceType::USER
        | ThreadNameSpaceType::MOUNT
        | ThreadNameSpaceType::NETWORK
        | ThreadNameSpaceType::PROCESS_ID;
    move_into_thread_name_spaces(home.as_fd(), all)
        .map_err(|error| HomeError::Enter(error.into()))?;
    Ok(Stay { _file: file })
}

/// Nobody else starts one meanwhile.
fn lock(base: &Path) -> Result<File, HomeError> {
    let lock = File::open(base).map_err(failed("open", base))?;
    flock(&lock, FlockOperation::LockExclusive)
        .map_err(|error| failed("lock", base)(error.into()))?;
    Ok(lock)
}

/// The file, with a share in it.
fn open(path: &Path) -> Result<File, HomeError> {
    loop {
        let mut options = File::options();
        let file = options.read(true).write(true).create(true).truncate(false).open(path);
        let file = file.map_err(failed("make", path))?;
        // One that is about to end has it for itself, and removes it.
        flock(&file, FlockOperation::LockShared)
            .map_err(|error| failed("lock", path)(error.into()))?;
        if rustix::fs::fstat(&file).is_ok_and(|stat| stat.st_nlink > 0) {
            return Ok(file);
        }
    }
}

/// The first process of a home, unless there is none.
fn find(file: &File) -> io::Result<Option<OwnedFd>> {
    let Some(process) = holder(file)? else { return Ok(None) };
    match pidfd_open(process, PidfdFlags::empty()) {
        // It is still that process, and no other with its number.
        Ok(found) if holder(file)? == Some(process) => Ok(Some(found)),
        Ok(_) | Err(Errno::SRCH) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Who has the file locked as its first process has.
fn holder(file: &File) -> io::Result<Option<Pid>> {
    let whole = Flock {
        start: 0,
        length: 0,
        pid: None,
        typ: FlockType::WriteLock,
        offset_type: FlockOffsetType::Set,
    };
    Ok(fcntl_getlk(file, &whole)?.and_then(|lock| lock.pid))
}

/// Removes the file of a home that was killed. Whoever is the last to leave calls this.
pub fn sweep(base: &Path) {
    let path = base.join(HOME);
    let Ok(_lock) = lock(base) else { return };
    let Ok(file) = File::options().read(true).write(true).open(&path) else { return };
    let is_left = flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok();
    if is_left && holder(&file).is_ok_and(|holder| holder.is_none()) {
        let _ = fs::remove_file(&path);
    }
}
