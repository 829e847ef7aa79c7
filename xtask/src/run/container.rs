//! A container: prepared here, and run by `bulkhead` on this machine or in the emulated host.

use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use ::host::kvm::Kvm;
use bulkhead::prepare;
use containers::plan::Plan;
use rustix::fs::MemfdFlags;

use super::{RunArgs, Way, choose, demo};
use crate::arch::Arch;
use crate::build::Binaries;
use crate::error::{Doing, Error};
use crate::host::{self, Options};
use crate::kernel;
use crate::tool;

/// Where the emulated host finds what was prepared here.
const BUNDLE: &str = "/run/bulkhead-bundle.json";

/// The emulated host's memory beside its guest's.
const HOST_MEMORY_MIB: u64 = 1024;

/// Runs it; the exit status is the entrypoint's.
pub fn run(arguments: RunArgs) -> Result<u8, Error> {
    let RunArgs { mut flags, arch, accel, .. } = arguments;
    let binaries = Binaries::build(arch)?;
    // `prepare` finds it in the cache.
    kernel::provide_quickly(arch)?;
    if flags.image().is_none() {
        flags.set_image(demo::image(arch)?.into());
    }
    let (way, line) = choose(accel, arch, &binaries, |kvm| *kvm == Kvm::Linux)?;
    let bar = tool::spinner("preparing the container");
    let guest_init = |_| Ok(binaries.guest_init.clone());
    let plan = prepare(&flags, arch.platform(), guest_init)?.plan;
    bar.finish_and_clear();
    eprintln!("{line}");
    match way {
        Way::Direct => direct(&binaries.bulkhead, &plan),
        Way::Emulated => emulated(arch, &binaries.bulkhead, &plan),
    }
}

/// Becomes `bulkhead`: signals, the terminal and the exit status are then its own.
fn direct(bulkhead: &Path, plan: &Plan) -> Result<u8, Error> {
    let doing = || "pass the bundle on".to_owned();
    // A file without a name can't be left behind. This one stays open for the program.
    let file =
        rustix::fs::memfd_create("bundle", MemfdFlags::empty()).map(File::from).doing(doing)?;
    (&file).write_all(&json(plan)?).doing(doing)?;
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let error = Command::new(bulkhead).args(["run", "--bundle", &path]).exec();
    Err(error).doing(|| format!("start {}", bulkhead.display()))
}

fn emulated(arch: Arch, bulkhead: &Path, plan: &Plan) -> Result<u8, Error> {
    let memory = plan.vm.config.machine_config.mem_size_mib.saturating_add(HOST_MEMORY_MIB);
    let options = Options { arch, timeout: None, ..Options::default() };
    let memory_mib = options.memory_mib.max(u32::try_from(memory).unwrap_or(u32::MAX));
    let command = [bulkhead.as_os_str(), "run".as_ref(), "--bundle".as_ref(), BUNDLE.as_ref()];
    let mut process = host::process(arch, command.map(OsString::from).to_vec())?;
    process.files.push((BUNDLE.into(), json(plan)?));
    host::run_in_foreground(&Options { memory_mib, ..options }, process)
}

fn json(plan: &Plan) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(plan).map_err(std::io::Error::from).doing(|| "write the bundle".into())
}
