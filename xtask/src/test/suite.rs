//! The test executables of the workspace.

use std::path::PathBuf;
use std::process::Command;

use super::libtest;
use super::tally::Tally;
use crate::arch::Arch;
use crate::cargo::{self, Executable};
use crate::error::Error;
use crate::tool;
use crate::toolchain::{self, Toolchain};

const BARE_GUEST: &str = "bulkhead-bare-guest";

/// One test executable.
#[derive(Clone, Debug)]
pub struct Suite {
    /// The package and the target.
    pub name: String,
    /// The executable.
    pub path: PathBuf,
    /// The package's folder, where cargo runs tests.
    pub directory: PathBuf,
}

/// Builds those for `arch`.
pub fn build(arch: Arch) -> Result<Vec<Suite>, Error> {
    let mut suites = build_targets(arch, &[])?;
    suites.extend(traitor(arch)?);
    suites.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(suites)
}

/// Builds those whose target is called so, of all packages; all of them where no name is given.
pub fn build_targets(arch: Arch, names: &[&str]) -> Result<Vec<Suite>, Error> {
    // The bare guest has none: it is a kernel.
    let mut arguments = vec!["test", "--no-run", "--workspace", "--exclude", BARE_GUEST];
    for name in names {
        arguments.extend(["--test", name]);
    }
    let mut command = if arch == Arch::NATIVE {
        cargo::command(&arguments)
    } else {
        // xtask runs on this machine only. What runs of it in an emulated host, its agent, is in use in each.
        arguments.extend(["--exclude", "xtask"]);
        Toolchain::linux(arch)?.cargo(&arguments)
    };
    let message = format!("building the tests for {}", arch.name());
    suites(&message, &mut command)
}

fn suites(message: &str, command: &mut Command) -> Result<Vec<Suite>, Error> {
    let executables = cargo::executables(message, command)?;
    let tests = executables.into_iter().filter(|executable| executable.is_test);
    let suites = tests.map(|executable| Suite {
        name: name(&executable),
        path: executable.path,
        directory: executable.directory,
    });
    Ok(suites.collect())
}

/// The tests of a VMM that does its guest's bidding. It has a folder of its own: nobody is to find it in the place of the
/// VMM.
fn traitor(arch: Arch) -> Result<Option<Suite>, Error> {
    let target = toolchain::folder().join("traitor");
    let target = target.display().to_string();
    let arguments = [
        "test",
        "--no-run",
        "--package",
        "bulkhead-hypervisor",
        "--features",
        "traitor",
        "--test",
        "vmm",
        "--target-dir",
        &target,
    ];
    let (mut command, libraries) = if arch == Arch::NATIVE {
        (cargo::command(&arguments), toolchain::folder().to_owned())
    } else {
        let toolchain = Toolchain::linux(arch)?;
        (toolchain.cargo(&arguments), toolchain.folder())
    };
    // What it is made of is there: only its programs are put elsewhere.
    command.env("CARGO_BUILD_BUILD_DIR", libraries);
    let message = format!("building a traitor for {}", arch.name());
    let suite = suites(&message, &mut command)?.pop();
    Ok(suite.map(|suite| Suite { name: format!("{}, a traitor", suite.name), ..suite }))
}

/// The folder of the package and the name of the target.
fn name(executable: &Executable) -> String {
    let folder = executable.directory.file_name().unwrap_or_default().display();
    format!("{folder}: {}", executable.name)
}

/// Examples in the documentation.
pub fn documentation() -> Result<Tally, Error> {
    let arguments = ["test", "--doc", "--workspace", "--exclude", BARE_GUEST, "--quiet"];
    let output = tool::run("testing the documentation", &mut cargo::command(&arguments))?;
    Ok(libtest::parse(&output).map(|outcome| outcome.tally).unwrap_or_default())
}
