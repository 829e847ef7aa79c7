//! `cargo xtask build`: the static release binaries and the bare guest.

use std::path::{Path, PathBuf};
use std::process::Command;

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
    /// Builds them, static and optimized.
    pub fn build() -> Result<Binaries, Error> {
        // Without a network there may be no musl target; the host's own C library then is linked in.
        let (target, flags) = match needs::add_target(Arch::NATIVE.musl()) {
            Ok(()) => (Arch::NATIVE.musl(), ""),
            Err(_) => (Arch::NATIVE.gnu(), "-C target-feature=+crt-static"),
        };
        let mut command = cargo(&["build", "--release", "--target", target]);
        for package in ["bulkhead-runtime", "bulkhead-hypervisor", "bulkhead-guest-init"] {
            command.args(["--package", package]);
        }
        if !flags.is_empty() {
            command.env("RUSTFLAGS", flags);
        }
        let output = tool::run("building bulkhead", &mut command)?;
        let executables = executables(&output);
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

/// Where [`Binaries::build`] puts them, beside this program's own folder. They may not be there yet.
pub fn last_folder() -> PathBuf {
    let target = tool::own_path().ancestors().nth(2).unwrap_or(Path::new("target"));
    target.join(Arch::NATIVE.musl()).join("release")
}

/// Builds the bare guest.
pub fn bare_guest() -> Result<PathBuf, Error> {
    let target = Arch::NATIVE.bare();
    needs::add_target(target)?;
    let arguments = ["build", "--release", "--target", target, "--package", "bulkhead-bare-guest"];
    let output = tool::run("building the bare guest", &mut cargo(&arguments))?;
    executable(&executables(&output), "bare-guest")
}

/// Builds all and says where it is.
pub fn run() -> Result<u8, Error> {
    let binaries = Binaries::build()?;
    let bare_guest = bare_guest()?;
    for path in [&binaries.bulkhead, &binaries.vmm, &binaries.guest_init, &bare_guest] {
        println!("{}", path.display());
    }
    Ok(0)
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
