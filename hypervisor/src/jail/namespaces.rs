//! One process becomes two, and the inner one gets namespaces of its own (namespaces(7)).

use std::io;
use std::os::fd::OwnedFd;

use rustix::process::{Pid, PidfdFlags, getpid, pidfd_open};
use rustix::thread::{UnshareFlags, unshare_unsafe};

use super::lack::{Lack, is_forbidden, note};
use super::outside::{Hearing, Outside};
use super::{Inside, JailError, Needs, Wanted, identity};
use crate::console::Terminal;

/// What the inner process has of its own.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Own {
    /// Users and groups.
    pub(super) users: bool,
    /// Numbers of processes.
    pub(super) processes: bool,
    /// Mounts, and all other kinds.
    pub(super) mounts: bool,
}

/// Which of the two this process is.
pub enum Side {
    /// The one that waits.
    Outside(Outside),
    /// The VM's.
    Inside(Box<Inside>),
}

/// Makes the inner process. This one has one thread, and is not in a jail.
///
/// A PID namespace is for children only, and an ordinary user's needs a user namespace, in which this process is then too:
/// it stays who it is, and loses nothing that it needs. All other namespaces are the inner process's alone. (clone3(2) would
/// do all of it at once; but the C library would not know its thread's number then, and musl's locks need that.)
pub fn divide(wanted: Wanted, hearing: Hearing) -> Result<Side, JailError> {
    let terminal = Terminal::find().map_err(JailError::at("terminal"))?;
    let outside = pidfd_open(getpid(), PidfdFlags::empty()).map_err(JailError::at("pidfd_open"))?;
    let mut lacks = Vec::new();
    let mut own = Own::default();
    if !wanted.no_jail {
        own = enter(&mut lacks).map_err(JailError::at("user and PID namespaces"))?;
    }
    Ok(match fork().map_err(JailError::at("fork"))? {
        Some(vm) => Side::Outside(hearing.of(vm, terminal)),
        None => {
            let (needs, folder) = (Needs::default(), None);
            Side::Inside(Box::new(Inside { wanted, outside, own, terminal, lacks, needs, folder }))
        }
    })
}

/// What a child has to be born into. Root needs no user namespace, unless it is a container's that may not make others.
fn enter(lacks: &mut Vec<Lack>) -> io::Result<Own> {
    let (user, group) = identity::current();
    let mut own = Own { users: !user.is_root(), processes: true, mounts: false };
    let mut result = unshare(flags(own.users));
    if result.as_ref().is_err_and(|error| error.raw_os_error() == Some(libc::EPERM)) && !own.users {
        own.users = true;
        result = unshare(flags(own.users));
    }
    match result {
        Err(error) if is_forbidden(&error) => {
            note(lacks, Lack::namespaces(error));
            return Ok(Own::default());
        }
        result => result?,
    }
    if own.users {
        identity::keep(user, group, lacks)?;
    }
    Ok(own)
}

fn flags(users: bool) -> UnshareFlags {
    if users { UnshareFlags::NEWUSER | UnshareFlags::NEWPID } else { UnshareFlags::NEWPID }
}

/// All other kinds, for the inner process.
pub(super) fn leave(inside: &mut Inside) -> io::Result<()> {
    if !inside.own.processes {
        return Ok(());
    }
    let others = UnshareFlags::NEWNS
        | UnshareFlags::NEWNET
        | UnshareFlags::NEWIPC
        | UnshareFlags::NEWUTS
        | UnshareFlags::NEWCGROUP;
    match unshare(others) {
        // A host that gives the first to everybody, and the others to some; or that has few of one kind.
        Err(error) if is_forbidden(&error) => note(&mut inside.lacks, Lack::namespaces(error)),
        result => {
            result?;
            inside.own.mounts = true;
        }
    }
    Ok(())
}

fn unshare(flags: UnshareFlags) -> io::Result<()> {
    // SAFETY: there is one thread, and none of these kinds has to do with descriptors.
    Ok(unsafe { unshare_unsafe(flags) }?)
}

/// `None` in the child, its pidfd in the parent.
fn fork() -> io::Result<Option<OwnedFd>> {
    // SAFETY: there is one thread, so that the child may do whatever the parent may.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(None),
        number => {
            let child = Pid::from_raw(number).ok_or(io::ErrorKind::InvalidData)?;
            Ok(Some(pidfd_open(child, PidfdFlags::empty())?))
        }
    }
}
