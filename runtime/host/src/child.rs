//! Child processes that don't outlive this one, whatever ends it.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

use rustix::io::FdFlags;
use rustix::process::Signal;

/// Starts `command` in a process group of its own (a Ctrl-C at the terminal is for what runs in the guest), with the file
/// descriptors `keep` inherited, to be sent `signal` when the calling *thread* ends.
pub fn spawn_bound(
    command: &mut Command,
    keep: &[BorrowedFd<'_>],
    signal: Signal,
) -> io::Result<Child> {
    let parent = rustix::process::getpid();
    let keep: Vec<i32> = keep.iter().map(AsRawFd::as_raw_fd).collect();
    let prepare = move || {
        rustix::process::set_parent_process_death_signal(Some(signal))?;
        // The parent may have died before that.
        if rustix::process::getppid() != Some(parent) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        for &fd in &keep {
            // SAFETY: the caller's borrow, alive during `spawn`, keeps the descriptor open.
            let fd = unsafe { BorrowedFd::borrow_raw(fd) };
            rustix::io::fcntl_setfd(fd, FdFlags::empty())?;
        }
        Ok(())
    };
    // SAFETY: between fork and exec the closure makes system calls only; it allocates nothing and takes no lock.
    unsafe { command.pre_exec(prepare) };
    command.process_group(0).spawn()
}
