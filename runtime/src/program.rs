//! Finding our other programs: beside this one, else on PATH.

use std::path::PathBuf;

use thiserror::Error;

/// It is in neither place.
#[derive(Debug, Error)]
#[error("{name} is neither beside {beside} nor in a folder of PATH: `cargo xtask build` makes it")]
pub struct NoProgram {
    name: &'static str,
    beside: PathBuf,
}

/// The program called `name`.
pub fn find(name: &'static str) -> Result<PathBuf, NoProgram> {
    let own = std::env::current_exe().unwrap_or_default();
    let beside = own.with_file_name(name);
    if beside.is_file() {
        return Ok(beside);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
        .ok_or(NoProgram { name, beside: own })
}
