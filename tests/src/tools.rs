//! Programs of the distribution.

use std::path::PathBuf;
use std::process::Command;

use crate::skip;

/// Where the program is on PATH.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Whether all of these programs are there. Where one is missing, says that `test` is skipped.
pub fn have(test: &str, programs: &[&str]) -> bool {
    let missing = programs.iter().find(|program| find(program).is_none());
    if let Some(program) = missing {
        skip(test, &format!("{program} is not on PATH"));
    }
    missing.is_none()
}

/// Whether this is root. Where it is not, says that `test` is skipped.
pub fn is_root(test: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        skip(test, "only root can take rights away");
    }
    root
}

/// Runs a program to its end, which has to be a good one.
pub fn tool(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {stderr}");
}
