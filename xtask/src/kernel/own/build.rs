//! Configuring and compiling the source.

use std::fs;
use std::num::NonZero;
use std::path::Path;
use std::process::Command;
use std::thread;

use super::options::{self, Fragment};
use super::source::Source;
use super::{CONFIG, image_name};
use crate::arch::Arch;
use crate::error::{Doing, Error};
use crate::needs;
use crate::tool;

/// What the kernel says of its making, in place of a clock's, a user's and a machine's name, so that two builds give one file
/// (Linux `Documentation/kbuild/reproducible-builds.rst`).
const MADE: [(&str, &str); 4] = [
    ("KBUILD_BUILD_TIMESTAMP", "Thu Jan  1 00:00:00 UTC 1970"),
    ("KBUILD_BUILD_USER", "bulkhead"),
    ("KBUILD_BUILD_HOST", "bulkhead"),
    ("KBUILD_BUILD_VERSION", "1"),
];

/// The compiler of an architecture.
pub struct Compiler {
    /// What comes before the names of its programs.
    prefix: &'static str,
    /// Its own words.
    pub version: String,
}

impl Compiler {
    /// This machine's.
    pub fn find(arch: Arch) -> Result<Compiler, Error> {
        let cross = (arch != Arch::NATIVE).then(|| needs::cross_linker(arch)[0].name);
        let prefix = cross.and_then(|name| name.strip_suffix("gcc")).unwrap_or_default();
        let mut command = Command::new(format!("{prefix}gcc"));
        let told =
            tool::run("looking for the compiler", command.arg("--version").env("LC_ALL", "C"))?;
        Ok(Compiler { prefix, version: told.lines().next().unwrap_or_default().to_owned() })
    }
}

/// Builds the kernel, and leaves it and its configuration in `dir`.
pub fn build(
    arch: Arch,
    source: &Source,
    fragments: &[Fragment],
    compiler: &Compiler,
    dir: &Path,
) -> Result<(), Error> {
    let work = tempfile::tempdir_in(dir).doing(|| format!("write to {}", dir.display()))?;
    let tree = source.unpack(work.path())?;
    let make = |target: &str| make(&tree, arch, compiler, target);
    let configuring = "configuring the kernel";
    tool::run(configuring, &mut make("allnoconfig"))?;
    let config = tree.join(".config");
    let reading = || format!("read {}", config.display());
    let mut text = fs::read_to_string(&config).doing(reading)?;
    text.extend(fragments.iter().map(|fragment| fragment.text));
    fs::write(&config, text).doing(|| format!("write {}", config.display()))?;
    tool::run(configuring, &mut make("olddefconfig"))?;
    options::check(fragments, &fs::read_to_string(&config).doing(reading)?)?;

    let message = format!("building the {} guest kernel", arch.name());
    let compiled = |line: &str| line.starts_with("  CC ");
    tool::run_counting(&message, "files compiled", make(image_name(arch)), compiled)?;
    let image = dir.join(image_name(arch));
    let copying = || format!("write {}", image.display());
    match arch {
        // Symbols are for a debugger; the names in a panic's trace are in the kernel's own table.
        Arch::X86_64 => {
            let mut strip = Command::new(format!("{}strip", compiler.prefix));
            tool::run(
                "stripping the kernel",
                strip.arg("-o").arg(&image).arg(tree.join("vmlinux")),
            )?;
        }
        Arch::Aarch64 => {
            fs::copy(tree.join("arch/arm64/boot/Image"), &image).doing(copying)?;
        }
    }
    fs::copy(&config, dir.join(CONFIG))
        .doing(|| format!("write {}", dir.join(CONFIG).display()))?;
    Ok(())
}

/// `make` in the source: with every processor, and after everybody else.
fn make(tree: &Path, arch: Arch, compiler: &Compiler, target: &str) -> Command {
    let mut command = Command::new("nice");
    let jobs = thread::available_parallelism().map_or(1, NonZero::get);
    command.arg("make").arg("-C").arg(tree).arg(format!("-j{jobs}"));
    command.arg(format!("ARCH={}", linux_name(arch)));
    command.arg(format!("CROSS_COMPILE={}", compiler.prefix)).arg(target);
    command.env("LC_ALL", "C").envs(MADE);
    // What cargo and its user have set for other makes and compilers is not for this one.
    for name in ["MAKEFLAGS", "MFLAGS", "CFLAGS", "KCFLAGS", "KBUILD_OUTPUT", "LOCALVERSION"] {
        command.env_remove(name);
    }
    command
}

/// The architecture as Linux's build has it.
fn linux_name(arch: Arch) -> &'static str {
    match arch {
        Arch::X86_64 => "x86_64",
        Arch::Aarch64 => "arm64",
    }
}
