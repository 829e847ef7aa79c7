//! The binaries, in two forms: what is given to people, and what is quick to build. And `cargo xtask build`.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use clap::Args;

use crate::arch::Arch;
use crate::cargo::{self, Executable};
use crate::error::{Doing, Error};
use crate::tool;
use crate::toolchain::{self, Toolchain};

/// The command.
const BULKHEAD: &str = "bulkhead";

/// One VM in one process.
const VMM: &str = "bulkhead-vmm";

/// The guest's first program.
const GUEST_INIT: &str = "guest-init";

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
    /// Builds them for `arch`, static and optimized: some minutes for the command alone.
    pub fn release(arch: Arch) -> Result<Binaries, Error> {
        let toolchain = Toolchain::linux(arch)?;
        let names = [BULKHEAD, VMM, GUEST_INIT];
        let executables = build(toolchain.cargo(&["build", "--release"]), &names, arch)?;
        Ok(Binaries {
            bulkhead: executable(&executables, BULKHEAD)?,
            vmm: executable(&executables, VMM)?,
            guest_init: executable(&executables, GUEST_INIT)?,
        })
    }

    /// Builds them for `arch` as the tests are built, from the same libraries: not fast, but soon there.
    pub fn quick(arch: Arch) -> Result<Binaries, Error> {
        let executables = build(quickly(arch)?, &[BULKHEAD, VMM], arch)?;
        Ok(Binaries {
            bulkhead: gather(&executable(&executables, BULKHEAD)?, arch)?,
            vmm: gather(&executable(&executables, VMM)?, arch)?,
            guest_init: gather(&guest_init(arch)?, arch)?,
        })
    }

    /// What the tests run, in a folder of its own: the quick ones, but in the place of this machine's VMM the one that people
    /// get. The other architecture's has checks of overflows, and assertions.
    pub fn tested(arch: Arch) -> Result<Binaries, Error> {
        let quick = Binaries::quick(arch)?;
        let vmm = if arch == Arch::NATIVE { release_vmm(arch)? } else { quick.vmm };
        let folder = toolchain::tested_folder(arch);
        Ok(Binaries {
            bulkhead: gather_in(&quick.bulkhead, &folder)?,
            vmm: gather_in(&vmm, &folder)?,
            guest_init: gather_in(&quick.guest_init, &folder)?,
        })
    }

    /// The folder to put on a PATH.
    pub fn folder(&self) -> &Path {
        self.bulkhead.parent().unwrap_or(Path::new("."))
    }
}

/// The VMM of [`Binaries::release`] alone: half a minute. The command, of which most is other people's code, takes longer.
pub fn release_vmm(arch: Arch) -> Result<PathBuf, Error> {
    let command = Toolchain::linux(arch)?.cargo(&["build", "--release"]);
    executable(&build(command, &[VMM], arch)?, VMM)
}

/// The VMM of [`Binaries::quick`], which alone is soon built.
pub fn quick_vmm(arch: Arch) -> Result<PathBuf, Error> {
    gather(&executable(&build(quickly(arch)?, &[VMM], arch)?, VMM)?, arch)
}

/// The command of [`Binaries::quick`] for this machine.
pub fn quick_bulkhead() -> Result<PathBuf, Error> {
    let executables = build(quickly(Arch::NATIVE)?, &[BULKHEAD], Arch::NATIVE)?;
    gather(&executable(&executables, BULKHEAD)?, Arch::NATIVE)
}

/// The same in both forms: it has to be static, is small, and what it takes is taken from each guest's memory.
fn guest_init(arch: Arch) -> Result<PathBuf, Error> {
    let command = Toolchain::linux(arch)?.cargo(&["build", "--release"]);
    executable(&build(command, &[GUEST_INIT], arch)?, GUEST_INIT)
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
    let path = executable(&build(quickly(arch)?, &["xtask"], arch)?, "xtask")?;
    *foreign = Some(path.clone());
    Ok(path)
}

/// Cargo, to build what is quick to build. For this machine that is what cargo takes for itself, and shares with this program;
/// on another machine there is no more than the kernel.
fn quickly(arch: Arch) -> Result<Command, Error> {
    match arch == Arch::NATIVE {
        true => Ok(cargo::command(&["build"])),
        false => Ok(Toolchain::linux(arch)?.cargo(&["build"])),
    }
}

/// Builds the programs called `names` with `command`. No package is named: of all packages of the workspace together, what they
/// depend on has the same features for each, and for the tests, and is compiled once.
fn build(mut command: Command, names: &[&str], arch: Arch) -> Result<Vec<Executable>, Error> {
    for name in names {
        command.args(["--bin", name]);
    }
    let message = format!("building {} for {}", names.join(", "), arch.name());
    cargo::executables(&message, &mut command)
}

/// Puts the program at `path` into the folder of the quick ones, as one more name of the same file (which is how cargo puts it
/// where it is): each looks for the others beside itself, and one has another target than the rest.
fn gather(path: &Path, arch: Arch) -> Result<PathBuf, Error> {
    gather_in(path, &toolchain::quick_folder(arch))
}

fn gather_in(path: &Path, folder: &Path) -> Result<PathBuf, Error> {
    let there = folder.join(path.file_name().unwrap_or_default());
    let file = |path: &Path| fs::metadata(path).map(|found| (found.dev(), found.ino())).ok();
    if file(path).is_some_and(|built| file(&there) == Some(built)) {
        return Ok(there);
    }
    let doing = || format!("put {} into {}", path.display(), folder.display());
    fs::create_dir_all(folder).doing(doing)?;
    // In one step: another xtask may want to start it now.
    let aside = tempfile::tempdir_in(folder).doing(doing)?;
    let new = aside.path().join("new");
    fs::hard_link(path, &new)
        .or_else(|_| fs::copy(path, &new).map(drop))
        .and_then(|()| fs::rename(&new, &there))
        .doing(doing)?;
    Ok(there)
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
    /// The binaries that `run` and the tests use: quick to build, but neither small nor fast
    #[arg(long)]
    quick: bool,
}

impl BuildArgs {
    /// Builds all.
    pub fn run(self) -> Result<u8, Error> {
        let build = if self.quick { Binaries::quick } else { Binaries::release };
        let Binaries { bulkhead, vmm, guest_init } = build(self.target)?;
        for path in [bulkhead, vmm, guest_init, bare_guest(self.target)?] {
            println!("{}", path.display());
        }
        Ok(0)
    }
}

fn executable(all: &[Executable], name: &str) -> Result<PathBuf, Error> {
    let found = all.iter().find(|executable| executable.name == name);
    found
        .map(|executable| executable.path.clone())
        .ok_or_else(|| Error::Content(format!("cargo built no executable named {name}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_built_again_takes_the_others_place() {
        let folder = tempfile::tempdir().unwrap();
        let (built, quick) = (folder.path().join("program"), folder.path().join("quick"));
        for content in ["first", "second"] {
            // As a linker does, which would disturb whoever runs the old one otherwise.
            let _ = fs::remove_file(&built);
            fs::write(&built, content).unwrap();
            for _ in 0..2 {
                let there = gather_in(&built, &quick).unwrap();
                assert_eq!(fs::read_to_string(there).unwrap(), content);
            }
        }
        assert_eq!(fs::read_dir(&quick).unwrap().count(), 1);
        assert!(gather_in(&folder.path().join("missing"), &quick).is_err());
    }
}
