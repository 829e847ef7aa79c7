//! The test executables of the workspace.

use std::path::PathBuf;

use super::libtest;
use super::tally::Tally;
use crate::cargo::{self, Executable};
use crate::error::Error;
use crate::tool;

/// One test executable.
#[derive(Debug)]
pub struct Suite {
    /// The package and the target.
    pub name: String,
    /// The executable.
    pub path: PathBuf,
    /// The package's folder, where cargo runs tests.
    pub directory: PathBuf,
}

/// Builds all of them. The bare guest has none: it is a kernel.
pub fn build() -> Result<Vec<Suite>, Error> {
    let arguments = ["test", "--no-run", "--workspace", "--exclude", "bulkhead-bare-guest"];
    let executables = cargo::executables("building the tests", &mut cargo::command(&arguments))?;
    let tests = executables.into_iter().filter(|executable| executable.is_test);
    let mut suites: Vec<Suite> = tests
        .map(|executable| Suite {
            name: name(&executable),
            path: executable.path,
            directory: executable.directory,
        })
        .collect();
    suites.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(suites)
}

/// The folder of the package and the name of the target.
fn name(executable: &Executable) -> String {
    let folder = executable.directory.file_name().unwrap_or_default().display();
    format!("{folder}: {}", executable.name)
}

/// Examples in the documentation.
pub fn documentation() -> Result<Tally, Error> {
    let arguments = ["test", "--doc", "--workspace", "--exclude", "bulkhead-bare-guest", "--quiet"];
    let output = tool::run("testing the documentation", &mut cargo::command(&arguments))?;
    Ok(libtest::parse(&output).map(|outcome| outcome.tally).unwrap_or_default())
}
