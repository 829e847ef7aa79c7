//! The root file system of the emulated host, and the programs that start it.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use host::cache::folder;

use super::tree;
use crate::arch::Arch;
use crate::build;
use crate::cargo;
use crate::error::{Doing, Error};
use crate::needs;
use crate::tool;
use crate::toolchain;

/// What the host of one architecture starts from. The paths mean the same inside.
pub struct Root {
    /// A static busybox.
    pub busybox: PathBuf,
    /// The first program.
    pub agent: PathBuf,
    /// Where this machine's own programs can't run there.
    pub foreign: Option<Foreign>,
}

/// The root of a host of another architecture.
pub struct Foreign {
    /// A Debian system. What is changed in it is forgotten with the host.
    pub tree: PathBuf,
    /// This machine's folders that are there too.
    pub shared: Vec<PathBuf>,
}

/// The folders in `/` that belong to the system. All others belong to its users.
const SYSTEM: [&str; 15] = [
    "bin",
    "boot",
    "dev",
    "etc",
    "lib",
    "lib32",
    "lib64",
    "libx32",
    "lost+found",
    "proc",
    "run",
    "sbin",
    "sys",
    "usr",
    "var",
];

impl Root {
    /// Downloads what is missing; nothing is built. The path of a static busybox.
    pub fn busybox(arch: Arch) -> Result<PathBuf, Error> {
        if arch == Arch::NATIVE {
            needs::provide(&[&needs::BUSYBOX])?;
            return needs::BUSYBOX.require();
        }
        Ok(tree::provide(arch)?.join("usr/bin/busybox"))
    }

    /// Downloads and builds what is missing.
    pub fn provide(arch: Arch) -> Result<Root, Error> {
        let busybox = Root::busybox(arch)?;
        if arch == Arch::NATIVE {
            let agent = tool::own_path().to_owned();
            return Ok(Root { busybox, agent, foreign: None });
        }
        let tree = tree::provide(arch)?;
        let agent = build::xtask(arch)?;
        // Ours may be in a folder of the system, as a build server's in /var.
        let ours = [cargo::workspace(), toolchain::folder(), &folder()?];
        let shared = shared(folders_of_users()?, &ours);
        Ok(Root { busybox, agent, foreign: Some(Foreign { tree, shared }) })
    }
}

fn folders_of_users() -> Result<Vec<PathBuf>, Error> {
    let doing = || "read /".to_owned();
    let mut folders = Vec::new();
    for entry in fs::read_dir("/").doing(doing)? {
        let entry = entry.doing(doing)?;
        let name = entry.file_name();
        if entry.file_type().doing(doing)?.is_dir()
            && !SYSTEM.iter().any(|system| name == OsStr::new(system))
        {
            folders.push(entry.path());
        }
    }
    Ok(folders)
}

/// `folders` and those of `more` that are not in one of them.
fn shared(mut folders: Vec<PathBuf>, more: &[&Path]) -> Vec<PathBuf> {
    for path in more {
        if !folders.iter().any(|folder| path.starts_with(folder)) {
            folders.push(path.to_path_buf());
        }
    }
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_users_are_shared_and_ours_wherever_they_are() {
        let users = folders_of_users().unwrap();
        assert!(users.contains(&"/tmp".into()) && !users.contains(&"/usr".into()), "{users:?}");
        let shared = shared(
            vec!["/home".into()],
            &["/home/me/source", "/var/cache", "/homes"].map(Path::new),
        );
        assert_eq!(shared, ["/home", "/var/cache", "/homes"].map(PathBuf::from));
    }
}
