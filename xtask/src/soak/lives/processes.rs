//! The processes that come of a life, as the kernel lists them (proc(5)).
//!
//! Whoever leads lives adopts what they leave behind: no process of theirs is anybody else's child.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, getpid, pidfd_open, pidfd_send_signal,
    set_child_subreaper, wait,
};

use super::life::Victim;

/// The variable that says whose process it is. A VM forgets it.
pub const MARK: &str = "BULKHEAD_LIFE";

/// The VMM's program.
const VMM: &str = "bulkhead-vmm";

/// How a VMM begins its arguments that only tries what KVM can do.
const PROBE: &str = "--probe";

/// The command of a supervisor in the background (runtime/containers/src/supervisor/detach.rs).
const SUPERVISE: &str = "supervise";

/// One that lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    pub pid: Pid,
    parent: i32,
    words: Vec<String>,
    mark: Option<String>,
}

/// From now on this process adopts what its children leave behind.
pub fn adopt() -> io::Result<()> {
    // What counts is that there is a number.
    Ok(set_child_subreaper(Some(getpid()))?)
}

/// All that have come of this process and live.
pub fn descendants() -> io::Result<Vec<Process>> {
    let mut parents = HashMap::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        let pid = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok());
        // One that ends meanwhile, or has ended and was not waited for, does not live.
        if let Some(pid) = pid
            && let Ok(stat) = fs::read_to_string(entry.path().join("stat"))
            && let Some((state, parent)) = state_and_parent(&stat)
            && !matches!(state, 'Z' | 'X')
        {
            parents.insert(pid, parent);
        }
    }
    let mut found = Vec::new();
    let mut of = vec![getpid().as_raw_pid()];
    while let Some(parent) = of.pop() {
        let children = parents.iter().filter(|(_, of)| **of == parent).map(|(pid, _)| *pid);
        for pid in children {
            of.push(pid);
            found.extend(Pid::from_raw(pid).map(|pid| Process::look(pid, parent)));
        }
    }
    Ok(found)
}

/// Those of `all` that are this life's: they have its name from the command, or are children of such a one.
pub fn of_life<'a>(all: &'a [Process], name: &str) -> Vec<&'a Process> {
    let is_marked = |process: &&Process| process.mark.as_deref() == Some(name);
    let marked: Vec<_> = all.iter().filter(is_marked).map(|process| process.pid).collect();
    let is_its = |process: &&Process| {
        marked.contains(&process.pid) || marked.iter().any(|pid| pid.as_raw_pid() == process.parent)
    };
    all.iter().filter(is_its).collect()
}

impl Process {
    fn look(pid: Pid, parent: i32) -> Process {
        let read = |file: &str| {
            let bytes = fs::read(format!("/proc/{}/{file}", pid.as_raw_pid()));
            // One that ends meanwhile has nothing.
            let text = String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned();
            text.split_terminator('\0').map(str::to_owned).collect::<Vec<_>>()
        };
        let environment = read("environ");
        let value = |line: &String| Some(line.strip_prefix(MARK)?.strip_prefix('=')?.to_owned());
        Process { pid, parent, words: read("cmdline"), mark: environment.iter().find_map(value) }
    }

    /// What it is among `all`, but for the command.
    pub fn role(&self, all: &[Process]) -> Option<Victim> {
        if self.words.get(1).is_some_and(|word| word == SUPERVISE) {
            return Some(Victim::Supervisor);
        }
        if !self.is_vmm() {
            return None;
        }
        let parent = all.iter().find(|other| other.pid.as_raw_pid() == self.parent);
        Some(if parent.is_some_and(Process::is_vmm) { Victim::Vm } else { Victim::Jailer })
    }

    fn is_vmm(&self) -> bool {
        let mut words = self.words.iter();
        words.next().is_some_and(|word| word.rsplit('/').next() == Some(VMM))
            && words.next().is_some_and(|word| word != PROBE)
    }

    /// Kills it. False: it has ended, or is another's child by now.
    pub fn kill(&self) -> io::Result<bool> {
        let pidfd = match pidfd_open(self.pid, PidfdFlags::empty()) {
            Err(Errno::SRCH) => return Ok(false),
            pidfd => pidfd?,
        };
        // Its number could be that of a process which is no descendant.
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid.as_raw_pid()));
        if stat.ok().and_then(|stat| Some(state_and_parent(&stat)?.1)) != Some(self.parent) {
            return Ok(false);
        }
        match pidfd_send_signal(&pidfd, Signal::KILL) {
            Err(Errno::SRCH) => Ok(false),
            result => Ok(result.map(|()| true)?),
        }
    }

    /// What a person wants to know of it.
    pub fn describe(&self) -> String {
        format!("process {}: {}", self.pid.as_raw_pid(), self.words.join(" "))
    }
}

/// proc_pid_stat(5): the fields `state` and `ppid` after the name in brackets, which may hold anything.
fn state_and_parent(stat: &str) -> Option<(char, i32)> {
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

/// Whether one of these descriptors of processes becomes readable, for one has ended, within this time.
pub fn ended_within(pidfds: &[impl std::os::fd::AsFd], time: Duration) -> io::Result<bool> {
    let deadline = Instant::now() + time;
    loop {
        let mut fds: Vec<_> = pidfds.iter().map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
        match poll(&mut fds, Some(&left)) {
            Err(Errno::INTR) => {}
            result => return Ok(result? > 0),
        }
    }
}

/// Waits for the end of all children, adopted ones too; those that live on after `patience`. There must be nobody else
/// who waits for one.
pub fn wait_for_all(patience: Duration) -> io::Result<Vec<Process>> {
    let deadline = Instant::now() + patience;
    loop {
        match wait(WaitOptions::NOHANG) {
            Err(Errno::CHILD) => return Ok(Vec::new()),
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Ok(None) => {
                let left = descendants()?;
                let time = deadline.saturating_duration_since(Instant::now());
                if time.is_zero() {
                    return Ok(left);
                }
                let open = |process: &Process| pidfd_open(process.pid, PidfdFlags::empty()).ok();
                let pidfds: Vec<_> = left.iter().filter_map(open).collect();
                // Between two looks a process may have come of one that has gone.
                ended_within(&pidfds, time.min(Duration::from_secs(1)))?;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn process(pid: i32, parent: i32, words: &[&str], mark: Option<&str>) -> Process {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        Process { pid: Pid::from_raw(pid).unwrap(), parent, words, mark: mark.map(str::to_owned) }
    }

    #[test]
    fn a_life_s_processes_are_told_apart() {
        let all = [
            process(10, 1, &["/x/bulkhead", "run", "-d"], Some("life-1")),
            process(11, 10, &["bulkhead", "supervise", "abc"], Some("life-1")),
            process(12, 11, &["/x/bulkhead-vmm", "--no-api"], Some("life-1")),
            process(13, 12, &["/x/bulkhead-vmm", "--no-api"], None),
            process(14, 11, &["/x/bulkhead-vmm", "--probe"], Some("life-1")),
            process(20, 1, &["/x/bulkhead", "run"], Some("life-2")),
            process(21, 20, &["/x/bulkhead-vmm", "--no-api"], Some("life-2")),
        ];
        let its =
            |name| of_life(&all, name).iter().map(|it| it.pid.as_raw_pid()).collect::<Vec<_>>();
        assert_eq!(its("life-1"), [10, 11, 12, 13, 14]);
        assert_eq!(its("life-2"), [20, 21]);
        assert!(its("life-3").is_empty());
        let roles = all.each_ref().map(|process| process.role(&all));
        let (supervisor, jailer) = (Some(Victim::Supervisor), Some(Victim::Jailer));
        assert_eq!(roles, [None, supervisor, jailer, Some(Victim::Vm), None, None, jailer]);
    }

    #[test]
    fn a_descendant_is_found_by_its_mark_and_killed() {
        let mut child = Command::new("sh");
        // The shell waits for the program: it has another command after it.
        let mut child = child.args(["-c", "sleep 1000; true"]).env(MARK, "life-of-a-test").spawn();
        let child = child.as_mut().unwrap();
        let grandchild = loop {
            let all = descendants().unwrap();
            let is_sleep =
                |process: &&&Process| process.words.first().is_some_and(|w| w == "sleep");
            if let Some(found) = of_life(&all, "life-of-a-test").iter().find(is_sleep) {
                break (**found).clone();
            }
            std::thread::yield_now();
        };
        assert!(grandchild.kill().unwrap());
        // The shell has nothing else to wait for.
        assert!(child.wait().unwrap().success());
        assert!(!grandchild.kill().unwrap());
        assert!(of_life(&descendants().unwrap(), "life-of-a-test").is_empty());
    }

    #[test]
    fn a_name_may_hold_anything() {
        assert_eq!(state_and_parent("7 (a) 9 (b) S 1 (c)) R 42 7 7"), Some(('R', 42)));
        assert_eq!(state_and_parent("7"), None);
    }
}
