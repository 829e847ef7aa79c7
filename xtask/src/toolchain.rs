//! Which compiler builds for which architecture, and how.
//!
//! The ordinary way is a target of rustup's: it brings a C library of its own, or none for the bare guest. Where rustup can't
//! download, this machine's own target is taken for its own architecture, and [Debian's packaged compiler](debian) for the
//! other one; with either, Debian's C library is linked in.

mod debian;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::arch::Arch;
use crate::cargo;
use crate::error::Error;
use crate::needs;
use crate::tool;

/// The variable that a person sets to `debian` to take nothing from rustup.
pub const CHOICE: &str = "BULKHEAD_TOOLCHAIN";

/// Links a Linux program statically with a target that does not do so by itself.
const STATIC: &str = "-C target-feature=+crt-static";

/// Compiles for no operating system with a target that has one; the bare guest's `build.rs` does the rest of that.
const FREESTANDING: &str = "-C panic=abort -C relocation-model=static";

/// The same for x86_64: a KVM that interprets kernel code knows few instructions of SSE.
const FREESTANDING_WITHOUT_SSE: &str =
    "-C panic=abort -C relocation-model=static -C target-feature=-sse,-sse2";

/// How that `build.rs` is told.
const BARE_GUEST: (&str, &str) = ("BULKHEAD_FREESTANDING", "1");

/// How cargo is told of another compiler.
const COMPILER: &str = "RUSTC";

/// How cargo is told of another folder for what it builds.
const TARGET_DIR: &str = "CARGO_TARGET_DIR";

/// A way to build for one target.
#[derive(Debug, PartialEq, Eq)]
pub struct Toolchain {
    /// The compiler's target.
    pub target: &'static str,
    /// What cargo has to find in its environment.
    environment: Vec<(String, OsString)>,
}

impl Toolchain {
    /// For static Linux programs. Downloads and installs what is missing.
    pub fn linux(arch: Arch) -> Result<Toolchain, Error> {
        // The cryptography of TLS has parts in C.
        if arch != Arch::NATIVE {
            let [compiler, library] = needs::cross_linker(arch);
            needs::provide(&[compiler, library])?;
        }
        Toolchain::provide(arch, arch.musl(), STATIC)
    }

    /// For the bare guest, likewise.
    pub fn freestanding(arch: Arch) -> Result<Toolchain, Error> {
        let flags = match arch {
            Arch::X86_64 => FREESTANDING_WITHOUT_SSE,
            Arch::Aarch64 => FREESTANDING,
        };
        let mut toolchain = Toolchain::provide(arch, arch.bare(), flags)?;
        if !toolchain.is_rustups() {
            let (key, value) = BARE_GUEST;
            toolchain.environment.push((key.into(), value.into()));
        }
        Ok(toolchain)
    }

    fn provide(arch: Arch, target: &'static str, flags: &str) -> Result<Toolchain, Error> {
        let refusal = if without_rustup()? {
            None
        } else if needs::has_target(target) {
            return Ok(Toolchain { target, environment: Vec::new() });
        // Where rustup could not download once, asking it each time would cost the time that its attempts take.
        } else if arch != Arch::NATIVE && debian::is_cached(arch) {
            None
        } else {
            match needs::add_target(target) {
                Ok(()) => return Ok(Toolchain { target, environment: Vec::new() }),
                Err(error) => Some(error),
            }
        };
        let mut environment = vec![("RUSTFLAGS".to_owned(), flags.into())];
        if arch != Arch::NATIVE {
            let compiler = debian::provide(arch).map_err(|error| match refusal {
                Some(refusal) => Error::Missing(format!("{refusal}\nand instead of it: {error}")),
                None => error,
            })?;
            let linker = arch.gnu().to_uppercase().replace('-', "_");
            environment.extend([
                (COMPILER.to_owned(), compiler.rustc.into()),
                (format!("CARGO_TARGET_{linker}_LINKER"), compiler.linker.into()),
                (TARGET_DIR.to_owned(), debian_folder().into()),
            ]);
        }
        Ok(Toolchain { target: arch.gnu(), environment })
    }

    /// Its target is one of rustup's.
    pub fn is_rustups(&self) -> bool {
        self.environment.is_empty()
    }

    /// Clippy is of one version with the compiler that is on the PATH.
    pub fn has_clippy(&self) -> bool {
        self.environment.iter().all(|(key, _)| key != COMPILER)
    }

    /// Cargo's folder for it.
    pub fn folder(&self) -> PathBuf {
        let own = self.environment.iter().find(|(key, _)| key == TARGET_DIR);
        own.map_or_else(|| folder().to_owned(), |(_, path)| path.into())
    }

    /// Cargo in this workspace, for this target. The first of `arguments` is its command.
    pub fn cargo(&self, arguments: &[&str]) -> Command {
        let (command, rest) = arguments.split_at(1);
        let mut cargo = cargo::command(command);
        cargo.args(["--target", self.target]).args(rest);
        cargo.envs(self.environment.iter().map(|(key, value)| (key, value)));
        cargo
    }
}

/// Where the release binaries for `arch` are. They may not be there yet.
pub fn release_folder(arch: Arch) -> PathBuf {
    let mut folders = vec![
        folder().join(arch.musl()),
        debian_folder().join(arch.gnu()),
        folder().join(arch.gnu()),
    ];
    if without_rustup().is_ok_and(|without| without) {
        folders.remove(0);
    }
    let there = folders.iter().find(|folder| folder.is_dir());
    there.unwrap_or(&folders[0]).join("release")
}

/// Where the quick binaries for `arch` are. They may not be there yet.
pub fn quick_folder(arch: Arch) -> PathBuf {
    folder().join("quick").join(arch.name())
}

/// Where the binaries that tests for `arch` run are. They may not be there yet.
pub fn tested_folder(arch: Arch) -> PathBuf {
    folder().join("tested").join(arch.name())
}

/// Cargo's folder, which this program is in.
pub fn folder() -> &'static Path {
    tool::own_path().ancestors().nth(2).unwrap_or(Path::new("target"))
}

/// The folder for Debian's compiler: two compilers don't mix their libraries.
fn debian_folder() -> PathBuf {
    folder().join("debian")
}

/// Cargo's folder for the fuzzer's workspace: all in it is compiled for the fuzzer.
pub fn fuzz_folder() -> PathBuf {
    folder().join("fuzz")
}

/// Whether a person wants nothing from rustup.
fn without_rustup() -> Result<bool, Error> {
    match std::env::var_os(CHOICE) {
        None => Ok(false),
        Some(choice) if choice == "debian" => Ok(true),
        Some(choice) => Err(Error::Usage(format!(
            "{CHOICE}: `{}`: the only other toolchain is `debian`",
            choice.display()
        ))),
    }
}
