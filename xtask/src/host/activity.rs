//! What the threads of a process have done so far, by the kernel's own account.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use rustix::process::Pid;

/// Of all threads of a process together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Activity {
    /// The time they ran.
    pub work: Duration,
    /// The time they could have run, but had no processor.
    pub waiting: Duration,
    /// None runs, waits for a processor or a disk, or is stopped: they wait for an event.
    pub asleep: bool,
}

impl Activity {
    /// What `process` has done.
    pub fn of(process: Pid) -> io::Result<Activity> {
        let mut all = Activity { work: Duration::ZERO, waiting: Duration::ZERO, asleep: true };
        for entry in fs::read_dir(format!("/proc/{}/task", process.as_raw_nonzero()))? {
            // A thread may end meanwhile; its time is missing from then on.
            let Ok(thread) = Activity::of_thread(&entry?.path()) else { continue };
            all.work += thread.work;
            all.waiting += thread.waiting;
            all.asleep &= thread.asleep;
        }
        Ok(all)
    }

    /// From proc_pid_stat(5), and schedstat: nanoseconds run, nanoseconds waited for a processor, times run
    /// (Documentation/scheduler/sched-stats.rst).
    fn of_thread(folder: &Path) -> io::Result<Activity> {
        let times = fs::read_to_string(folder.join("schedstat"))?;
        let mut times = times.split_ascii_whitespace().map(str::parse);
        let mut time = || match times.next() {
            Some(Ok(nanoseconds)) => Ok(Duration::from_nanos(nanoseconds)),
            _ => Err(io::Error::from(io::ErrorKind::InvalidData)),
        };
        let (work, waiting) = (time()?, time()?);
        let stat = fs::read_to_string(folder.join("stat"))?;
        // The name before it may hold anything.
        let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
        Ok(Activity { work, waiting, asleep: state == Some('S') })
    }

    /// Whether they slept from `then` to now, but for `work` at most.
    pub fn slept_since(&self, then: Activity, work: Duration) -> bool {
        let busy = (self.work + self.waiting).saturating_sub(then.work + then.waiting);
        self.asleep && then.asleep && busy <= work
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Child, Command, Stdio};

    fn start(script: &str) -> Child {
        Command::new("sh").args(["-c", script]).stdin(Stdio::piped()).spawn().unwrap()
    }

    #[test]
    fn a_process_that_waits_sleeps_and_one_that_works_does_not() {
        let mut sleeper = start("read line");
        let sleeps = || Activity::of(Pid::from_child(&sleeper)).unwrap();
        while !sleeps().asleep {}
        let then = sleeps();
        assert!(sleeps().slept_since(then, Duration::from_millis(1)));

        let mut worker = start("while :; do :; done");
        let works = || Activity::of(Pid::from_child(&worker)).unwrap();
        let then = works();
        while works().work < then.work + Duration::from_millis(20) {}
        assert!(!works().slept_since(then, Duration::from_millis(1)));
        for child in [&mut sleeper, &mut worker] {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}
