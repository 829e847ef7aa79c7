//! What idle containers cost of the host's memory.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::home::{Home, end_well};
use super::memory::Rollup;
use crate::error::{Doing, Error};
use crate::run::demo;
use host::child::parent_of;

/// Containers of one image, so that what they can share is shared.
const CONTAINERS: usize = 4;

/// After this time nothing of the starts goes on. An idle host's clock leaps, so it costs little.
const SETTLING: Duration = Duration::from_secs(10);

/// The memory of one container's processes on the host, in KiB: the supervisor and its VMM's two, guest RAM included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Idle {
    /// What no other process has.
    pub unshared_kib: u64,
    /// The same, and its part of what others have too.
    pub proportional_kib: u64,
}

/// Starts containers of 128 MiB in the background, and looks at them once they are idle.
pub fn measure(home: &Home, kernel: &Path) -> Result<Vec<Idle>, Error> {
    let names: [String; CONTAINERS] = std::array::from_fn(|number| format!("idle-{number}"));
    for name in &names {
        let mut run = home.bulkhead(["run", "-d", "--name", name, "-m", "128M", "--kernel"]);
        end_well(run.arg(kernel).args([demo::NAME, "sleep", "1000000"]))?;
    }
    thread::sleep(SETTLING);
    let idle = look(home)?;
    end_well(home.bulkhead(["rm", "-f"]).args(&names))?;
    Ok(idle)
}

fn look(home: &Home) -> Result<Vec<Idle>, Error> {
    let processes = Process::all()?;
    let bulkhead = home.program("bulkhead");
    let mut all = Vec::new();
    for supervisor in processes.iter().filter(|process| process.program == bulkhead) {
        // The VMM's process outside of the jail, and in it the VM.
        let outer = child_of(supervisor, &processes)?;
        let vm = child_of(outer, &processes)?;
        let mut idle = Idle { unshared_kib: 0, proportional_kib: 0 };
        for process in [supervisor, outer, vm] {
            let rollup = Rollup::of(&Path::new("/proc").join(process.pid.to_string()))?;
            idle.unshared_kib += rollup.private_kib;
            idle.proportional_kib += rollup.pss_kib;
        }
        all.push(idle);
    }
    if all.len() == CONTAINERS {
        return Ok(all);
    }
    Err(Error::Content(format!("{} supervisors of {CONTAINERS} idle containers", all.len())))
}

/// The only one.
fn child_of<'a>(parent: &Process, all: &'a [Process]) -> Result<&'a Process, Error> {
    let mut children = all.iter().filter(|process| process.parent == parent.pid);
    match (children.next(), children.next()) {
        (Some(child), None) => Ok(child),
        _ => {
            let of = parent.program.display();
            Err(Error::Content(format!("an idle container: {of} has no child, or several")))
        }
    }
}

/// A process of a program that can be seen.
struct Process {
    pid: u32,
    parent: u32,
    program: PathBuf,
}

impl Process {
    fn all() -> Result<Vec<Process>, Error> {
        let doing = || "read /proc".to_owned();
        let mut all = Vec::new();
        for entry in fs::read_dir("/proc").doing(doing)? {
            let entry = entry.doing(doing)?;
            // What is no process has no such name; a kernel thread has no program.
            let pid = entry.file_name().to_str().and_then(|name| name.parse().ok());
            let (Some(pid), Ok(program)) = (pid, fs::read_link(entry.path().join("exe"))) else {
                continue;
            };
            let Some(parent) = parent_of(pid) else { continue };
            all.push(Process { pid, parent, program });
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_among_all() {
        let own = std::process::id();
        let program = std::env::current_exe().unwrap();
        let all = Process::all().unwrap();
        let found = all.iter().find(|process| process.pid == own).unwrap();
        assert_eq!(found.program, program);
        assert_eq!(found.parent, std::os::unix::process::parent_id());
    }
}
