//! Every process of the guest ends here: orphans become PID 1's children.

use protocol::ExitStatus;
use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions, WaitStatus};

/// Waits until `main` ended, reaping whatever ends before it.
pub(crate) fn wait_for(main: Pid) -> ExitStatus {
    loop {
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid == main => return exit_status(status),
            Ok(_) | Err(Errno::INTR) => {}
            // No child at all: it can't be waited for any more. 128 + 9, as if it had been killed.
            Err(_) => return ExitStatus::Signal(9),
        }
    }
}

/// Kills all that is left, and waits until it is gone: no process holds a pipe or a file of the scratch disk then.
pub(crate) fn end_everything() {
    // SAFETY: kill(2) takes no pointer. -1 is every process but PID 1 itself. With no process left it fails: fine.
    unsafe { libc::kill(-1, libc::SIGKILL) };
    loop {
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return,
        }
    }
}

/// The part of a wait status that the host is told.
pub(crate) fn exit_status(status: WaitStatus) -> ExitStatus {
    let byte = |number: i32| u8::try_from(number & 0xff).unwrap_or(u8::MAX);
    match status.terminating_signal() {
        Some(signal) => ExitStatus::Signal(byte(signal)),
        None => ExitStatus::Code(byte(status.exit_status().unwrap_or_default())),
    }
}
