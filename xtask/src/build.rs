//! `cargo xtask build`: the static release binaries and the bare guest.

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;
use serde::Deserialize;

use crate::arch::Arch;
use crate::error::Error;
use crate::needs;
use crate::tool;

/// The binaries of a container's host, all in one folder.
#[derive(Debug)]
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
        let packages = ["bulkhead-runtime", "bulkhead-hypervisor", "bulkhead-guest-init"];
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
    if arch == Arch::NATIVE {
        return Ok(tool::own_path().to_owned());
    }
    executable(&static_executables(arch, &["xtask"])?, "xtask")
}

/// Builds the binaries of `packages` for `arch`, static and optimized.
fn static_executables(arch: Arch, packages: &[&str]) -> Result<Vec<Executable>, Error> {
    // Without a network there may be no musl target; the host's own C library then is linked in.
    let (target, flags) = match needs::add_target(arch.musl()) {
        Err(_) if arch == Arch::NATIVE => (arch.gnu(), "-C target-feature=+crt-static"),
        result => result.map(|()| (arch.musl(), ""))?,
    };
    let mut command = cargo(&["build", "--release", "--target", target]);
    for package in packages {
        command.args(["--package", package]);
    }
    if !flags.is_empty() {
        command.env("RUSTFLAGS", flags);
    }
    let output =
        tool::run(&format!("building {} for {target}", packages.join(", ")), &mut command)?;
    Ok(executables(&output))
}

/// Where [`Binaries::build`] puts them, beside this program's own folder. They may not be there yet.
pub fn last_folder(arch: Arch) -> PathBuf {
    let target = tool::own_path().ancestors().nth(2).unwrap_or(Path::new("target"));
    target.join(arch.musl()).join("release")
}

/// Builds the bare guest for `arch`.
pub fn bare_guest(arch: Arch) -> Result<PathBuf, Error> {
    let target = arch.bare();
    needs::add_target(target)?;
    let arguments = ["build", "--release", "--target", target, "--package", "bulkhead-bare-guest"];
    let output = tool::run("building the bare guest", &mut cargo(&arguments))?;
    executable(&executables(&output), "bare-guest")
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

/// Cargo in this workspace.
pub fn bare_cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    command.current_dir(workspace()).args(arguments);
    command
}

/// Cargo in this workspace, reporting what it built in JSON on its standard output.
pub fn cargo(arguments: &[&str]) -> Command {
    let mut command = bare_cargo(arguments);
    command.args(["--quiet", "--message-format=json-render-diagnostics"]);
    command
}

/// The root of the source tree.
pub fn workspace() -> &'static Path {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest)
}

/// An executable that cargo built.
#[derive(Debug, PartialEq, Eq)]
pub struct Executable {
    /// The name of its target: a binary's name, a test file's name, a library's name for its unit tests.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// The folder of its package.
    pub directory: PathBuf,
    /// It runs tests.
    pub is_test: bool,
}

/// The executables among cargo's JSON messages.
pub fn executables(messages: &str) -> Vec<Executable> {
    #[derive(Deserialize)]
    struct Artifact {
        target: Target,
        profile: Profile,
        manifest_path: PathBuf,
        executable: Option<PathBuf>,
    }
    #[derive(Deserialize)]
    struct Target {
        name: String,
    }
    #[derive(Deserialize)]
    struct Profile {
        test: bool,
    }
    let artifacts = messages.lines().filter_map(|line| serde_json::from_str::<Artifact>(line).ok());
    artifacts
        .filter_map(|artifact| {
            Some(Executable {
                name: artifact.target.name,
                path: artifact.executable?,
                directory: artifact.manifest_path.parent()?.to_owned(),
                is_test: artifact.profile.test,
            })
        })
        .collect()
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
    fn executables_are_found_among_cargos_messages() {
        let artifact = |name: &str, executable: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","manifest_path":"/w/p/Cargo.toml","target":{{"name":"{name}"}},
                "profile":{{"test":false}},"executable":{executable}}}"#
            )
            .replace('\n', "")
        };
        let artifacts = [artifact("libc", "null"), artifact("bulkhead", "\"/t/bulkhead\"")];
        let messages = artifacts.join("\n") + "\n{\"reason\":\"build-finished\"}\nnot JSON";
        let found = executables(&messages);
        assert_eq!(executable(&found, "bulkhead").unwrap(), Path::new("/t/bulkhead"));
        assert!(executable(&found, "libc").is_err());
        assert_eq!(found[0].directory, Path::new("/w/p"));
    }
}
