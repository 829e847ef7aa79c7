//! Finding our other programs: beside this one, else on PATH.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::platform::Platform;

/// It is in neither place.
#[derive(Debug, Error)]
#[error(
    "{what} is neither beside {beside} nor in a folder of PATH: `cargo xtask build{target}` makes it"
)]
pub struct NoProgram {
    what: String,
    beside: PathBuf,
    target: String,
}

/// The program called `name`, for this machine.
pub fn find(name: &str) -> Result<PathBuf, NoProgram> {
    let own = own();
    let found = candidates(&own, name).next();
    found.ok_or_else(|| NoProgram { what: name.to_owned(), beside: own, target: String::new() })
}

/// `guest-init` for guests of this platform: the first that is a program for it.
pub fn guest_init(platform: Platform) -> Result<PathBuf, NoProgram> {
    const NAME: &str = "guest-init";
    let own = own();
    let found = candidates(&own, NAME).find(|path| is_for(path, platform));
    found.ok_or_else(|| NoProgram {
        what: format!("a {NAME} for {platform}"),
        beside: own,
        target: format!(" --target {}", platform.architecture()),
    })
}

fn own() -> PathBuf {
    std::env::current_exe().unwrap_or_default()
}

/// The files with this name, in the order in which they are to be taken.
fn candidates(own: &Path, name: &str) -> impl Iterator<Item = PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path: Vec<PathBuf> = folders(&path).map(|dir| dir.join(name)).collect();
    [own.with_file_name(name)].into_iter().chain(on_path).filter(|candidate| candidate.is_file())
}

/// The program called `name` in a folder of PATH.
pub fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    folders(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// The folders of a PATH in which programs are looked for: none that depends on where we are. An empty part is the current
/// folder (POSIX.1-2017, 8.3 "PATH"), and so is a PATH that is empty or not there; what lies there is not ours to run.
pub fn folders(path: &OsStr) -> impl Iterator<Item = PathBuf> {
    std::env::split_paths(path).filter(|folder| folder.is_absolute())
}

fn is_for(path: &Path, platform: Platform) -> bool {
    let mut start = [0; 20];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && Platform::of_elf(&start) == Some(platform)
}
