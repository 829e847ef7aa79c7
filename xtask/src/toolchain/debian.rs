//! Debian's packaged compiler and its library for another architecture, in the cache.
//!
//! A stable release packages a recent compiler for its browsers. It is downloaded for this machine's architecture with what
//! it needs and this machine lacks, and unpacked together with the library for the other architecture.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::arch::Arch;
use crate::cache::Cache;
use crate::error::{Doing, Error};
use crate::needs::{self, Packages};
use crate::tool;

/// The compiler's packages: that of a stable release, that of the next one.
const COMPILERS: [&str; 2] = ["rustc-web", "rustc"];

/// How the packages begin that have to be of the compiler's very version. The others may be this machine's.
const PARTS: [&str; 2] = ["libstd-rust", "libllvm"];

/// Starts the compiler with its own libraries.
const WRAPPER: &str = r#"#!/bin/sh
root=$(dirname "$0")
export LD_LIBRARY_PATH="$(echo "$root"/usr/lib/*-linux-gnu):$(echo "$root"/lib/*-linux-gnu)"
exec "$root/usr/bin/rustc" "$@"
"#;

/// A compiler for another architecture.
pub struct Compiler {
    /// The wrapper of the compiler.
    pub rustc: PathBuf,
    /// The other architecture's linker.
    pub linker: PathBuf,
}

/// Whether it was downloaded.
pub fn is_cached(arch: Arch) -> bool {
    Cache::open("toolchains").is_ok_and(|cache| cache.path(&entry(arch)).is_dir())
}

/// The compiler for `arch`, which is not this machine's. Downloads and installs what is missing.
pub fn provide(arch: Arch) -> Result<Compiler, Error> {
    let [linker, library] = needs::cross_linker(arch);
    needs::provide(&[&needs::DPKG_DEB, linker, library])?;
    let folder = Cache::open("toolchains")?.directory(&entry(arch), |folder| fill(arch, folder))?;
    Ok(Compiler { rustc: folder.join("rustc"), linker: linker.require()? })
}

/// A newer compiler is downloaded when the workspace asks for a newer one.
fn entry(arch: Arch) -> String {
    format!("{}-{}", arch.name(), env!("CARGO_PKG_RUST_VERSION"))
}

fn fill(arch: Arch, folder: &Path) -> Result<(), Error> {
    let downloads = tempfile::tempdir().doing(|| "make a temporary folder".into())?;
    // Both of one moment: the library and the compiler have to be of one version.
    let (here, there) = (Packages::private(Arch::NATIVE)?, Packages::private(arch)?);
    here.refresh()?;
    there.refresh()?;
    let names = parts(&here, here.first_offered(&COMPILERS))?;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let archives = here.download_missing(&names, downloads.path())?;
    let (library, version) = library(&archives)?;
    there.download(&format!("{library}={version}"), downloads.path())?;
    for archive in needs::archives(downloads.path())? {
        let mut command = Command::new("dpkg-deb");
        tool::run("unpacking the compiler", command.arg("-x").arg(archive).arg(folder))?;
    }
    let rustc = folder.join("rustc");
    let doing = || format!("write {}", rustc.display());
    fs::write(&rustc, WRAPPER).doing(doing)?;
    fs::set_permissions(&rustc, fs::Permissions::from_mode(0o755)).doing(doing)
}

/// The package `compiler` and those that belong to it.
fn parts(packages: &Packages, compiler: &str) -> Result<Vec<String>, Error> {
    let mut parts = vec![compiler.to_owned()];
    let mut next = 0;
    while let Some(part) = parts.get(next) {
        for dependency in packages.dependencies(part)? {
            if PARTS.iter().any(|part| dependency.starts_with(part)) && !parts.contains(&dependency)
            {
                parts.push(dependency);
            }
        }
        next += 1;
    }
    Ok(parts)
}

/// Name and version of the compiler's library, from the archives' names: NAME_VERSION_ARCHITECTURE.deb.
fn library(archives: &[PathBuf]) -> Result<(String, String), Error> {
    let names = archives.iter().filter_map(|path| path.file_name()?.to_str());
    let mut packages = names.filter_map(|file| {
        let (name, rest) = file.split_once('_')?;
        let (version, _) = rest.split_once('_')?;
        // The colon after an epoch is escaped.
        Some((name.to_owned(), version.replace("%3a", ":")))
    });
    let found = packages.find(|(name, _)| name.starts_with(PARTS[0]) && name.ends_with("-dev"));
    found.ok_or_else(|| {
        Error::Content("the compiler's packages don't hold its library, libstd-rust-*-dev".into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_is_known_by_its_archive() {
        let archives = ["libllvm22_1%3a22.1_amd64.deb", "libstd-rust-web-1.96_1.96.0_amd64.deb"];
        let mut archives = archives.map(PathBuf::from).to_vec();
        assert!(library(&archives).is_err());
        archives.push("/d/libstd-rust-web-dev_1%3a1.96.0+dfsg1-1~deb12u2_amd64.deb".into());
        let (name, version) = library(&archives).unwrap();
        assert_eq!(name, "libstd-rust-web-dev");
        assert_eq!(version, "1:1.96.0+dfsg1-1~deb12u2");
    }
}
