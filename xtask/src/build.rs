//! `cargo xtask build`: the static release binaries and the bare guest.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use clap::Args;

use crate::arch::Arch;
use crate::cargo::{self, Executable};
use crate::error::Error;
use crate::tool;
use crate::toolchain::Toolchain;

/// The binaries of a container's host, all in one folder.
#[derive(Clone, Debug)]
pub struct Binaries {
    /// The command.
    pub bulkhead: PathBuf,
    /// One VM in one process.
    pub vmm: PathBuf,
    /// The guest's first program.
    pub guest_init: PathBuf,
}

impl Binaries {
    /// Builds them for `arch`, static and optimized.
    pub fn build(arch: Arch) -> Result<Binaries, Error> {
        let packages = ["bulkhead", "bulkhead-hypervisor", "bulkhead-guest-init"];
        let executables = static_executables(arch, &packages)?;
        Ok(Binaries {
            bulkhead: executable(&executables, "bulkhead")?,
            vmm: executable(&executables, "bulkhead-vmm")?,
            guest_init: executable(&executables, "guest-init")?,
        })
    }

    /// The folder to put on a PATH.
    pub fn folder(&self) -> &Path {
        self.bulkhead.parent().unwrap_or(Path::new("."))
    }
}

/// This program for `arch`, to be run in the emulated host.
pub fn xtask(arch: Arch) -> Result<PathBuf, Error> {
    // Each start of a host asks for it, perhaps while cargo builds something else and lets nobody in.
    static FOREIGN: Mutex<Option<PathBuf>> = Mutex::new(None);
    if arch == Arch::NATIVE {
        return Ok(tool::own_path().to_owned());
    }
    let mut foreign = FOREIGN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(path) = &*foreign {
        return Ok(path.clone());
    }
    let path = executable(&static_executables(arch, &["xtask"])?, "xtask")?;
    *foreign = Some(path.clone());
    Ok(path)
}

/// Builds the binaries of `packages` for `arch`, static and optimized.
fn static_executables(arch: Arch, packages: &[&str]) -> Result<Vec<Executable>, Error> {
    let toolchain = Toolchain::linux(arch)?;
    let mut command = toolchain.cargo(&["build", "--release"]);
    for package in packages {
        command.args(["--package", package]);
    }
    let message = format!("building {} for {}", packages.join(", "), toolchain.target);
    cargo::executables(&message, &mut command)
}

/// Builds the bare guest for `arch`.
pub fn bare_guest(arch: Arch) -> Result<PathBuf, Error> {
    let toolchain = Toolchain::freestanding(arch)?;
    let mut command = toolchain.cargo(&["build", "--release", "--package", "bulkhead-bare-guest"]);
    let message = format!("building the bare guest for {}", toolchain.target);
    let kernel = executable(&cargo::executables(&message, &mut command)?, "bare-guest")?;
    if arch == Arch::Aarch64 && !toolchain.is_rustups() { image(&kernel) } else { Ok(kernel) }
}

/// The flat Image of the ELF file `kernel`. GNU ld can't write one; rustup's targets have a linker that can.
fn image(kernel: &Path) -> Result<PathBuf, Error> {
    let image = kernel.with_extension("image");
    let mut command = Command::new("aarch64-linux-gnu-objcopy");
    command.args(["-O", "binary"]).args([kernel, &image]);
    tool::run("making an Image of the bare guest", &mut command)?;
    Ok(image)
}

/// Build the static release binaries and the bare guest, and say where they are
#[derive(Args)]
pub struct BuildArgs {
    /// The architecture to build for
    #[arg(long, value_enum, value_name = "ARCH", default_value_t = Arch::NATIVE)]
    target: Arch,
}

impl BuildArgs {
    /// Builds all.
    pub fn run(self) -> Result<u8, Error> {
        let Binaries { bulkhead, vmm, guest_init } = Binaries::build(self.target)?;
        let mut paths = vec![bulkhead, vmm, guest_init, bare_guest(self.target)?];
        if self.target != Arch::NATIVE {
            paths.push(xtask(self.target)?);
        }
        paths.iter().for_each(|path| println!("{}", path.display()));
        Ok(0)
    }
}

fn executable(all: &[Executable], name: &str) -> Result<PathBuf, Error> {
    let found = all.iter().find(|executable| executable.name == name);
    found
        .map(|executable| executable.path.clone())
        .ok_or_else(|| Error::Content(format!("cargo built no executable named {name}")))
}
