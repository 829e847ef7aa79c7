//! The tracer, inside the emulated host: notes each system call of a VM's threads.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use rustix::mount::{MountFlags, mount};

use super::filters::{FILTERS, Filter, KVM_RUN, number};
use super::uses::{Reader, Uses};
use crate::arch::Arch;
use crate::error::{Doing, Error};

/// The hidden command that is run in the emulated host.
pub const INNER_COMMAND: &str = "syscalls-inside";

/// Where it belongs (linux/Documentation/trace/ftrace.rst).
const TRACEFS: &str = "/sys/kernel/tracing";

/// For each kind of thread: 200,000 events of up to 80 bytes, where suites make up to 13,000. To lose one is an error.
const BUFFER_KIB: u32 = 16 << 10;

/// No number is given to a second thread in the life of a host: PID_MAX_LIMIT (linux/threads.h).
const THREADS: (&str, &str) = ("/proc/sys/kernel/pid_max", "4194304");

/// Note the system calls of VMs
#[derive(Args)]
pub struct InnerArgs {
    #[arg(value_enum)]
    what: What,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    Begin,
    Read,
}

impl InnerArgs {
    /// Begins, or prints the [`Uses`] since then as JSON.
    pub fn run(self) -> Result<u8, Error> {
        match self.what {
            What::Begin => begin()?,
            What::Read => {
                let uses = serde_json::to_string(&read()?);
                println!("{}", uses.map_err(|error| Error::Content(error.to_string()))?);
            }
        }
        Ok(0)
    }
}

/// A buffer of its own for each kind of thread, which says what kind an event's thread is of: threads of a kind have a name.
fn begin() -> Result<(), Error> {
    mount("tracefs", TRACEFS, "tracefs", MountFlags::empty(), None)
        .doing(|| format!("mount {TRACEFS}"))?;
    write(Path::new(THREADS.0), THREADS.1)?;
    let ioctl = number("ioctl", Arch::NATIVE).unwrap_or_default();
    for filter in &FILTERS {
        let folder = folder(filter);
        fs::create_dir(&folder).doing(|| format!("create {}", folder.display()))?;
        write(&folder.join("buffer_size_kb"), &BUFFER_KIB.to_string())?;
        let task = filter.task;
        // Requests can only be compared where arguments have names.
        for (event, condition) in [
            ("raw_syscalls/sys_enter", format!("id != {ioctl} && {task}")),
            ("syscalls/sys_enter_ioctl", format!("cmd != {KVM_RUN:#x} && {task}")),
        ] {
            let event = folder.join("events").join(event);
            write(&event.join("filter"), &condition)?;
            write(&event.join("enable"), "1")?;
        }
    }
    Ok(())
}

fn read() -> Result<Uses, Error> {
    let mut uses = Uses::new();
    for filter in &FILTERS {
        let folder = folder(filter);
        write(&folder.join("tracing_on"), "0")?;
        let lost = lost(&folder)?;
        if lost > 0 {
            let thread = filter.thread;
            return Err(Error::Content(format!("{thread}: {lost} calls were not noted")));
        }
        let mut reader = Reader::new(filter, Arch::NATIVE);
        let path = folder.join("trace");
        let doing = || format!("read {}", path.display());
        for line in BufReader::new(File::open(&path).doing(doing)?).split(b'\n') {
            reader.read(&String::from_utf8_lossy(&line.doing(doing)?));
        }
        uses.append(&mut reader.uses);
    }
    Ok(uses)
}

/// How many events there was no room for.
fn lost(folder: &Path) -> Result<u64, Error> {
    let folder = folder.join("per_cpu");
    let doing = || format!("read {}", folder.display());
    let mut lost = 0;
    for processor in fs::read_dir(&folder).doing(doing)? {
        let stats =
            processor.and_then(|processor| fs::read_to_string(processor.path().join("stats")));
        let stats = stats.doing(doing)?;
        let overrun = stats.lines().find_map(|line| line.strip_prefix("overrun: "));
        let count = overrun.and_then(|count| count.trim().parse::<u64>().ok());
        lost += count.ok_or_else(|| {
            Error::Content(format!("{}: no overrun in {stats:?}", folder.display()))
        })?;
    }
    Ok(lost)
}

fn folder(filter: &Filter) -> PathBuf {
    Path::new(TRACEFS).join("instances").join(filter.thread)
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).doing(|| format!("write {text} to {}", path.display()))
}
