//! A container: `bulkhead run` on this machine, or prepared here and run in the emulated host.

use std::ffi::OsString;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};

use super::{RunArgs, Way, choose, demo};
use crate::arch::Arch;
use crate::build::Binaries;
use crate::error::{Doing, Error};
use crate::host::{self, Options};
use crate::kernel::Kernel;
use crate::kvm::Kvm;

/// Where the emulated host finds what was prepared here.
const BUNDLE: &str = "/run/bulkhead-bundle.json";

/// The emulated host's memory beside its guest's.
const HOST_MEMORY_MIB: u32 = 1024;

/// Runs it; the exit status is the entrypoint's.
pub fn run(arguments: &RunArgs) -> Result<u8, Error> {
    let binaries = Binaries::build(Arch::NATIVE)?;
    // `bulkhead` finds it in the cache.
    Kernel::provide(Arch::NATIVE)?;
    let flags = flags(arguments)?;
    let (way, line) = choose(arguments.accel, &binaries, |kvm| *kvm == Kvm::Linux)?;
    match way {
        Way::Direct => {
            eprintln!("{line}");
            let mut command = Command::new(&binaries.bulkhead);
            command.arg("run").args(flags);
            // Signals, the terminal and the exit status are then its own.
            let error = command.exec();
            Err(error).doing(|| format!("start {}", binaries.bulkhead.display()))
        }
        Way::Emulated => emulated(arguments, &binaries, &flags, &line),
    }
}

fn emulated(
    arguments: &RunArgs,
    binaries: &Binaries,
    flags: &[OsString],
    line: &str,
) -> Result<u8, Error> {
    // A bundle that is no file can't be left behind; stderr is for its progress and its one line of error.
    let mut command = Command::new(&binaries.bulkhead);
    command.args(["prepare", "--out=/proc/self/fd/1"]).args(flags);
    command.stdin(Stdio::null()).stderr(Stdio::inherit());
    let prepared = command.output().doing(|| format!("start {}", binaries.bulkhead.display()))?;
    if !prepared.status.success() {
        let signal = prepared.status.signal().map_or(1, |signal| 128 + signal);
        return Ok(prepared.status.code().unwrap_or(signal) as u8);
    }

    eprintln!("{line}");
    let memory = arguments.memory.map_or(0, |size| size.0);
    let options = Options {
        timeout: None,
        memory_mib: Options::default().memory_mib.max(memory.saturating_add(HOST_MEMORY_MIB)),
        ..Options::default()
    };
    let command =
        [binaries.bulkhead.as_os_str(), "run".as_ref(), "--bundle".as_ref(), BUNDLE.as_ref()];
    let mut process = host::process(Arch::NATIVE, command.map(OsString::from).to_vec())?;
    process.files.push((BUNDLE.into(), prepared.stdout));
    host::run_in_foreground(&options, process)
}

/// What `bulkhead` is told, from what xtask was told.
fn flags(arguments: &RunArgs) -> Result<Vec<OsString>, Error> {
    let mut flags: Vec<OsString> = Vec::new();
    let mut add = |name: &str, value: OsString| flags.extend([name.into(), value]);
    if let Some(kernel) = &arguments.kernel {
        add("--kernel", kernel.into());
    }
    if let Some(cpus) = arguments.cpus {
        add("--cpus", cpus.to_string().into());
    }
    if let Some(memory) = arguments.memory {
        add("--memory", format!("{}M", memory.0).into());
    }
    for variable in &arguments.env {
        add("--env", variable.clone());
    }
    let options = [
        ("--workdir", &arguments.workdir),
        ("--user", &arguments.user),
        ("--hostname", &arguments.hostname),
    ];
    for (name, value) in options {
        if let Some(value) = value {
            add(name, value.clone());
        }
    }
    for (name, given) in [("--read-only", arguments.read_only), ("--console", arguments.console)] {
        if given {
            flags.push(name.into());
        }
    }
    flags.push(match &arguments.image {
        Some(image) => image.clone(),
        None => demo::image()?.into(),
    });
    if !arguments.command.is_empty() {
        flags.push("--".into());
        flags.extend(arguments.command.iter().cloned());
    }
    Ok(flags)
}
