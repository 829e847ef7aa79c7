//! A container: `bulkhead run` on this machine, or prepared here and run in the emulated host.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Seek};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::fs::MemfdFlags;

use super::{RunArgs, Way, choose, demo};
use crate::build::Binaries;
use crate::error::{Doing, Error};
use crate::host::{self, Options};
use crate::kernel::Kernel;
use crate::kvm::Kvm;
use crate::tool;

/// Where the emulated host finds what was prepared here.
const BUNDLE: &str = "/run/bulkhead-bundle.json";

/// The emulated host's memory beside its guest's.
const HOST_MEMORY_MIB: u32 = 1024;

/// Runs it; the exit status is the entrypoint's.
pub fn run(arguments: &RunArgs) -> Result<u8, Error> {
    let binaries = Binaries::build()?;
    let flags = flags(arguments)?;
    match choose(arguments.accel, &binaries, |kvm| *kvm == Kvm::Linux)? {
        Way::Direct => {
            let mut command = Command::new(&binaries.bulkhead);
            command.arg("run").args(flags);
            // Signals, the terminal and the exit status are then its own.
            let error = command.exec();
            Err(error).doing(|| format!("start {}", binaries.bulkhead.display()))
        }
        Way::Emulated => emulated(arguments, &binaries, &flags),
    }
}

fn emulated(arguments: &RunArgs, binaries: &Binaries, flags: &[OsString]) -> Result<u8, Error> {
    let doing = || "pass on what was prepared".to_owned();
    // A file without a name can't be left behind.
    let mut bundle =
        File::from(rustix::fs::memfd_create("bundle", MemfdFlags::empty()).doing(doing)?);
    let out = format!("--out=/proc/self/fd/{}", bundle.as_raw_fd());
    let mut command = Command::new(&binaries.bulkhead);
    tool::run("preparing the image", command.args(["prepare", &out]).args(flags))?;
    let mut content = Vec::new();
    bundle.rewind().and_then(|()| bundle.read_to_end(&mut content)).doing(doing)?;

    let memory = arguments.memory.map_or(0, |size| size.0);
    let options = Options {
        timeout: None,
        memory_mib: Options::default().memory_mib.max(memory.saturating_add(HOST_MEMORY_MIB)),
        ..Options::default()
    };
    let command =
        [binaries.bulkhead.as_os_str(), "run".as_ref(), "--bundle".as_ref(), BUNDLE.as_ref()];
    let mut process = host::process(command.map(OsString::from).to_vec())?;
    process.files.push((BUNDLE.into(), content));
    host::run_in_foreground(&options, process)
}

/// What `bulkhead` is told, from what xtask was told.
fn flags(arguments: &RunArgs) -> Result<Vec<OsString>, Error> {
    let mut flags: Vec<OsString> = Vec::new();
    let mut add = |name: &str, value: OsString| flags.extend([name.into(), value]);
    let kernel = match &arguments.kernel {
        Some(path) => path.clone(),
        None => Kernel::provide()?.image(),
    };
    add("--kernel", kernel.into());
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
