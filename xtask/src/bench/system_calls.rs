//! How many system calls a VMM makes before it lets its guest run.

use std::ffi::OsString;
use std::path::Path;

use super::start::Running;
use crate::error::{Doing, Error};

/// Counts with `strace`, whose record goes to `record`. The first is the VMM's `execve`; `KVM_RUN` itself is not counted.
pub fn until_guest_runs(strace: &Path, vmm: Vec<OsString>, record: &Path) -> Result<u64, Error> {
    let mut arguments = vec![strace.into(), "-f".into(), "-o".into(), record.into()];
    arguments.extend(vmm);
    let mut running = Running::start(&arguments)?;
    running.wait_for_line()?;
    running.stop()?;
    let text = read(record)?;
    count(&text).ok_or_else(|| Error::Content(format!("strace saw no KVM_RUN\n{text}")))
}

/// All calls in what `strace` wrote to `record` of a single thread.
pub fn of_one_thread(record: &Path) -> Result<u64, Error> {
    Ok(read(record)?.lines().filter(|event| is_call(event)).count() as u64)
}

fn read(record: &Path) -> Result<String, Error> {
    let text = std::fs::read(record).doing(|| format!("read {}", record.display()))?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn is_call(event: &str) -> bool {
    !["<...", "---", "+++"].iter().any(|other| event.starts_with(other))
}

/// Each line is a process number and an event; a call that another thread's interrupts is on two lines.
fn count(record: &str) -> Option<u64> {
    let events = record.lines().filter_map(|line| Some(line.split_once(' ')?.1.trim_start()));
    let mut calls = 0;
    for event in events {
        if event.contains("KVM_RUN") {
            return Some(calls);
        }
        calls += u64::from(is_call(event));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_once_and_other_events_not() {
        let record = "\
7  execve(\"vmm\", [\"vmm\"], 0x7ff /* 3 vars */) = 0
7  clone3({flags=CLONE_VM}, 88) = 8
8  set_robust_list(0x7f, 24 <unfinished ...>
7  --- SIGCHLD {si_signo=SIGCHLD} ---
8  <... set_robust_list resumed>) = 0
8  ioctl(12, KVM_RUN, 0) = 0
8  write(1, \"h\", 1) = 1
";
        assert_eq!(count(record), Some(3));
        assert_eq!(count("7 +++ exited with 1 +++\n"), None);
    }
}
