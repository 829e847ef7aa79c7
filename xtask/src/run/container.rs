//! A container: prepared by `bulkhead` here, and run by it on this machine or in the emulated host.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use ::host::kvm::Kvm;
use containers::plan::Plan;
use rustix::fs::MemfdFlags;

use super::{Accel, RunArgs, Way, choose, demo};
use crate::arch::Arch;
use crate::build::{self, Binaries};
use crate::error::{Doing, Error};
use crate::host::{self, Options};
use crate::kernel;
use crate::progress::{Step, say};
use crate::tool::joined;

/// Where the emulated host finds what was prepared here.
const BUNDLE: &str = "/run/bulkhead-bundle.json";

/// The emulated host's memory beside its guest's.
const HOST_MEMORY_MIB: u64 = 1024;

/// The flags of `cargo xtask run` that `bulkhead` does not have.
const OWN_FLAGS: [&str; 3] = ["--arch", "--accel", "--guest"];

/// Runs it; the exit status is the entrypoint's.
pub fn run(arguments: RunArgs) -> Result<u8, Error> {
    let RunArgs { words, arch, accel, .. } = arguments;
    let Ready { way, binaries, preparer, demo } = Ready::get(arch, accel, &words)?;
    let bundle = match prepare(&preparer, arch, binaries.folder(), demo.as_deref(), &words)? {
        Ok(bundle) => bundle,
        Err(status) => return Ok(status),
    };
    match way {
        Way::Direct => direct(&binaries.bulkhead, &bundle),
        Way::Emulated => emulated(arch, &binaries, bundle),
    }
}

/// All that a container takes.
struct Ready {
    way: Way,
    binaries: Binaries,
    /// The `bulkhead` that runs on this machine.
    preparer: PathBuf,
    /// The demo image, where perhaps no other is named.
    demo: Option<PathBuf>,
}

impl Ready {
    /// Builds and downloads what is missing, at the same time.
    fn get(arch: Arch, accel: Accel, words: &[OsString]) -> Result<Ready, Error> {
        thread::scope(|scope| {
            // `bulkhead` finds it in the cache.
            let kernel = scope.spawn(move || kernel::provide_quickly(arch));
            let (way, line) = choose(accel, arch, |kvm| *kvm == Kvm::Linux)?;
            say(&line);
            // One download after the other: they share the line, and the package manager.
            let downloads = scope.spawn(move || {
                joined(kernel)?;
                if way == Way::Emulated {
                    host::download(arch)?;
                }
                demo_for(arch, words)
            });
            let binaries = Binaries::quick(arch)?;
            let preparer = match arch == Arch::NATIVE {
                true => binaries.bulkhead.clone(),
                false => build::quick_bulkhead()?,
            };
            if way == Way::Emulated {
                build::xtask(arch)?;
            }
            Ok(Ready { way, binaries, preparer, demo: joined(downloads)? })
        })
    }
}

/// The demo image, where the words don't begin with an image. After flags there may be one, which only `bulkhead` can tell:
/// then the demo's lack is no error yet.
fn demo_for(arch: Arch, words: &[OsString]) -> Result<Option<PathBuf>, Error> {
    match words.first() {
        None => demo::image(arch).map(Some),
        Some(word) if word.as_encoded_bytes().starts_with(b"-") => Ok(demo::image(arch).ok()),
        Some(_) => Ok(None),
    }
}

/// What runs, as `bulkhead` writes it into a file without a name, which can't be left behind; or the status with which it has
/// said what is wrong.
fn prepare(
    bulkhead: &Path,
    arch: Arch,
    binaries: &Path,
    demo: Option<&Path>,
    words: &[OsString],
) -> Result<Result<File, u8>, Error> {
    let doing = || "prepare the container".to_owned();
    // This one stays open for the programs that are started.
    let bundle =
        rustix::fs::memfd_create("bundle", MemfdFlags::empty()).map(File::from).doing(doing)?;
    let mut command = Command::new(bulkhead);
    command.args(["prepare", "--platform", &arch.platform().to_string(), "--out", &name(&bundle)]);
    if let Some(demo) = demo {
        command.arg("--default-image").arg(demo);
    }
    // Where it looks for `guest-init` when the one beside it is for another machine.
    let mut path = binaries.as_os_str().to_owned();
    if let Some(rest) = std::env::var_os("PATH") {
        path.push(":");
        path.push(rest);
    }
    command.args(words).env("PATH", path).stdin(Stdio::null());
    let step = Step::start("preparing the container");
    let status = command.status().doing(|| format!("start {}", bulkhead.display()))?;
    drop(step);
    if status.success() {
        return Ok(Ok(bundle));
    }
    if let Some(flag) = words.iter().find(|word| OWN_FLAGS.iter().any(|flag| *word == flag)) {
        say(&format!("xtask: {} goes before the flags of `bulkhead run`", flag.display()));
    }
    let status = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(Err(status.unwrap_or(1)))
}

/// The name of an open file, for a program that inherits it.
fn name(file: &File) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

/// Becomes `bulkhead`: signals, the terminal and the exit status are then its own.
fn direct(bulkhead: &Path, bundle: &File) -> Result<u8, Error> {
    let error = Command::new(bulkhead).args(["run", "--bundle", &name(bundle)]).exec();
    Err(error).doing(|| format!("start {}", bulkhead.display()))
}

fn emulated(arch: Arch, binaries: &Binaries, mut bundle: File) -> Result<u8, Error> {
    let doing = || "read the bundle".to_owned();
    let mut text = Vec::new();
    // The writer has opened it anew: this one is at its beginning.
    bundle.read_to_end(&mut text).doing(doing)?;
    let plan: Plan = serde_json::from_slice(&text).map_err(std::io::Error::from).doing(doing)?;
    let memory = plan.vm.config.machine_config.mem_size_mib.saturating_add(HOST_MEMORY_MIB);
    let options = Options { arch, timeout: None, ..Options::default() };
    let memory_mib = options.memory_mib.max(u32::try_from(memory).unwrap_or(u32::MAX));
    let command =
        [binaries.bulkhead.as_os_str(), "run".as_ref(), "--bundle".as_ref(), BUNDLE.as_ref()];
    let command = command.map(OsString::from).to_vec();
    let mut process = host::process(arch, &[binaries.folder()], command)?;
    process.files.push((BUNDLE.into(), text));
    host::run_in_foreground(&Options { memory_mib, ..options }, process)
}
