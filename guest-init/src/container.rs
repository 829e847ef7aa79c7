//! guest-init's program for the container: what it is before it becomes one of the container's processes.
//!
//! One thread, started afresh, with an order on a socket (see [`crate::order`]):
//!
//! ```text
//!   first process       another process       copy
//!   joins the cgroup    joins the cgroup
//!   new namespaces      its namespaces        its mount namespace, or chroot
//!   forks: the rest is the child's
//!   root, mounts
//!   terminal, user, command                   tar
//!   rights
//!   execve
//! ```

mod capabilities;
mod copy;
mod process;
mod rights;
mod seccomp;
mod stdio;
mod terminal;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};
use std::process::exit;

use protocol::{Process, Setting};
use rustix::io::FdFlags;
use rustix::process::{DumpableBehavior, Pid, PidfdFlags, pidfd_open};
use rustix::thread::{ThreadNameSpaceType, UnshareFlags, move_into_thread_name_spaces};

use crate::error::{During, StartError};
use crate::order::{self, Order, Report, SOCKET};
use crate::{cgroup, host_facts, mounts, names, root};

/// Everything that a container has of its own. Not the network: the VM's is the container's.
const OWN: ThreadNameSpaceType = ThreadNameSpaceType::MOUNT
    .union(ThreadNameSpaceType::HOST_NAME_AND_NIS_DOMAIN_NAME)
    .union(ThreadNameSpaceType::INTER_PROCESS_COMMUNICATION)
    .union(ThreadNameSpaceType::PROCESS_ID)
    .union(ThreadNameSpaceType::CONTROL_GROUP);

/// Carries out the order that waits. Returns only by ending the process.
pub fn main() -> ! {
    hide();
    // SAFETY: whoever started this program with this argument gave it this descriptor, and nothing here has taken it yet.
    let socket = unsafe { OwnedFd::from_raw_fd(SOCKET) };
    let result = rustix::io::fcntl_setfd(&socket, FdFlags::CLOEXEC)
        .during("keep the socket")
        .and_then(|()| order::receive(&socket))
        .and_then(|order| match order {
            Some((order, _)) => carry_out(order, socket.as_fd()),
            None => Err(io::Error::from(io::ErrorKind::UnexpectedEof)).during("read the order"),
        });
    if let Err(error) = result {
        // Without anybody to tell, the exit status has to do.
        let _ = order::send(&socket, &Report::Failed(error.kind(), error.to_string()), None);
        exit(1);
    }
    exit(0)
}

/// Until it executes the container's program (execve(2) makes that dumpable again), what this one has, such as its socket, is
/// not for the container's processes to take by ptrace(2) or /proc, though they may have the same user and capabilities.
fn hide() {
    // PR_SET_DUMPABLE can fail for a wrong value only.
    let _ = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

fn carry_out(order: Order, socket: BorrowedFd<'_>) -> Result<(), StartError> {
    match order {
        Order::First(setting, start) => {
            cgroup::join().during("join the container's cgroup")?;
            // SAFETY: this process has one thread, and shares its descriptors with nobody.
            unsafe { rustix::thread::unshare_unsafe(UnshareFlags::from_bits_retain(OWN.bits())) }
                .during("make the container's namespaces")?;
            fork(socket)?;
            furnish(&setting, &start.process)?;
            process::become_it(&start, &setting.hostname, socket)
        }
        Order::Another(first, setting, start) => {
            cgroup::join().during("join the container's cgroup")?;
            enter(first, OWN)?;
            fork(socket)?;
            process::become_it(&start, &setting.hostname, socket)
        }
        Order::CopyOut(first, path) => {
            visit(first)?;
            let whole = path.as_bytes() == b"/";
            // Not the runtime's own files, as with docker's `export`.
            let root = whole.then(root::look_under_mounts).transpose();
            let _root = root.during("see what lies under mounts")?;
            copy::out(&path)
        }
        Order::CopyIn(first, path) => {
            visit(first)?;
            copy::into(&path)
        }
    }
}

/// Goes on in a child: only children are in a new PID namespace. The parent says its number and ends.
fn fork(socket: BorrowedFd<'_>) -> Result<(), StartError> {
    // SAFETY: this process has one thread, so the child is a whole copy of it.
    match unsafe { libc::fork() } {
        0 => Ok(()),
        -1 => Err(io::Error::last_os_error()).during("fork"),
        pid => {
            let report = Report::Pid(pid.unsigned_abs());
            exit(i32::from(order::send(socket, &report, None).is_err()))
        }
    }
}

/// The namespaces of the container's first process.
fn enter(first: u32, which: ThreadNameSpaceType) -> Result<(), StartError> {
    let handle = || {
        let pid = i32::try_from(first).ok().and_then(Pid::from_raw);
        pidfd_open(pid.ok_or(rustix::io::Errno::SRCH)?, PidfdFlags::empty())
    };
    let handle = handle().during("find the container's first process")?;
    move_into_thread_name_spaces(handle.as_fd(), which).during("enter the container's namespaces")
}

/// Sees the container's files: as its processes see them, or as the next first process will.
fn visit(first: Option<u32>) -> Result<(), StartError> {
    match first {
        Some(first) => enter(first, ThreadNameSpaceType::MOUNT),
        None => root::look_in(root::CONTAINER).during("enter the container's root"),
    }
}

/// Root, mounts, name: what the first process finds.
fn furnish(setting: &Setting, process: &Process) -> Result<(), StartError> {
    let names = names::open()?;
    root::enter()?;
    rustix::process::umask(rustix::fs::Mode::empty());
    mounts::mount_all()?;
    mounts::make_devices()?;
    mounts::restrict()?;
    for tmpfs in &setting.tmpfs {
        mounts::mount_tmpfs(tmpfs)?;
    }
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    host_facts::set_hostname(&setting.hostname)?;
    // While the root takes writes.
    names::mount_all(&names)?;
    process::make_working_directory(process)?;
    if setting.read_only { root::make_read_only() } else { Ok(()) }
}
