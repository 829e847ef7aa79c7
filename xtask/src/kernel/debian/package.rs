//! The distribution's cloud kernel package: which one it is, and its content.

use std::path::Path;
use std::process::Command;

use crate::arch::Arch;
use crate::error::{Doing, Error};
use crate::needs::{self, Packages};
use crate::tool;

/// The names under which Debian's releases offer the newest 6.12 cloud kernel. Each depends on the real package.
fn meta_packages(arch: Arch) -> [String; 2] {
    ["linux-image-6.12-cloud-", "linux-image-cloud-"].map(|name| format!("{name}{}", arch.debian()))
}

/// How releases of the first of them begin.
pub const PREFERRED_SERIES: &str = "6.12.";

/// Real packages are called this plus the kernel's release.
const PREFIX: &str = "linux-image-";

/// Whether the package lists offer the series that guests are made for.
pub fn is_preferred_offered(packages: &Packages) -> bool {
    packages.offer(&meta_packages(packages.arch)[0])
}

/// The name of the newest package.
pub fn newest(packages: &Packages) -> Result<String, Error> {
    let names = meta_packages(packages.arch);
    let meta = packages.first_offered(&names.each_ref().map(String::as_str));
    let names = packages.dependencies(meta).unwrap_or_default();
    names.into_iter().find(|name| name.starts_with(PREFIX)).ok_or_else(|| {
        Error::Missing(format!(
            "no kernel: the package lists don't offer {meta}; refresh them with `apt-get update`, \
             or name a kernel with --kernel PATH"
        ))
    })
}

/// The kernel's release, as in its files' names, from the name of its package.
pub fn release(package: &str) -> Result<&str, Error> {
    let release = package.strip_prefix(PREFIX).filter(|release| !release.contains('/'));
    release.ok_or_else(|| Error::Content(format!("{package}: not the name of a kernel package")))
}

/// Downloads `package` and unpacks it into the folder `tree`.
pub fn fetch(packages: &Packages, package: &str, tree: &Path) -> Result<(), Error> {
    let dir = tempfile::tempdir().doing(|| "create a temporary folder".into())?;
    packages.download(package, dir.path())?;
    let archive = needs::archives(dir.path())?.pop();
    let archive = archive
        .ok_or_else(|| Error::Content(format!("{package}: the download left no .deb file")))?;
    tool::run("unpacking the kernel", Command::new("dpkg-deb").arg("-x").arg(archive).arg(tree))
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_is_in_the_name_of_the_package() {
        let package = "linux-image-6.12.117+deb12-cloud-amd64";
        assert_eq!(release(package).unwrap(), "6.12.117+deb12-cloud-amd64");
        assert!(release("linux-headers-6.12").is_err());
        assert!(release("linux-image-../../etc").is_err());
    }
}
