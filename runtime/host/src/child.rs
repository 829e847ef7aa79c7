//! Child processes that don't outlive this one, whatever ends it.

use std::fs::{self, File};
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

/// Has the process of this command join a cgroup before its program starts, by `processes`, its `cgroup.procs` open for
/// writing. Whoever has to know whether it did looks there.
pub fn join_cgroup(command: &mut Command, processes: File) {
    let join = move || {
        // cgroup-v2.rst, `cgroup.procs`: 0 is who writes it. It runs as well outside.
        let _ = rustix::io::write(&processes, b"0");
        Ok(())
    };
    // SAFETY: between fork and exec the closure makes one system call; it allocates nothing and takes no lock.
    unsafe { command.pre_exec(join) };
}

/// The first child there is of a process of this machine, not necessarily of this one.
pub fn child_of(process: u32) -> io::Result<u32> {
    // Not every kernel has `/proc/PID/task/TID/children`.
    for entry in fs::read_dir("/proc")?.flatten() {
        let number = entry.file_name().to_str().and_then(|name| name.parse().ok());
        // One that ends meanwhile is nobody's.
        if let Some(number) = number
            && parent_of(number) == Some(process)
        {
            return Ok(number);
        }
    }
    Err(io::ErrorKind::NotFound.into())
}

/// The parent of a process of this machine, unless it has ended.
pub fn parent_of(process: u32) -> Option<u32> {
    parent(&fs::read_to_string(format!("/proc/{process}/stat")).ok()?)
}

/// proc_pid_stat(5), `ppid`: the second field after the name in brackets, which may hold anything.
fn parent(stat: &str) -> Option<u32> {
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use rustix::process::Pid;

    use super::*;

    #[test]
    fn a_child_joins_before_its_program_starts() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut cat = Command::new("cat");
        join_cgroup(cat.arg(file.path()), file.reopen().unwrap());
        assert_eq!(cat.output().unwrap().stdout, b"0");
        // Who may not goes on all the same.
        join_cgroup(&mut cat, File::open("/dev/null").unwrap());
        assert_eq!(cat.output().unwrap().status.code(), Some(0));
    }

    #[test]
    fn a_child_is_found() {
        assert_eq!(parent("7 (a) 9 (b) S 1 (c)) R 42 7 7"), Some(42));
        assert_eq!(parent("42 nothing"), None);
        let mut shell = Command::new("sh");
        // The shell waits for the program: it has another command after it.
        let mut shell = shell.args(["-c", "sleep 1000; true"]).spawn().unwrap();
        let child = loop {
            match child_of(shell.id()) {
                Ok(child) => break child,
                Err(_) => std::thread::yield_now(),
            }
        };
        rustix::process::kill_process(Pid::from_raw(child as i32).unwrap(), Signal::KILL).unwrap();
        assert_eq!(parent_of(shell.id()), Some(std::process::id()));
        shell.wait().unwrap();
        assert!(child_of(shell.id()).is_err());
    }
}
