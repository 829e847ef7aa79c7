//! The root file system that tests run a distribution's own programs from, in the cache: a folder made of Debian packages.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use host::digest::Digest;

use crate::arch::Arch;
use crate::cache::Cache;
use crate::error::{Doing, Error};
use crate::needs::{self, Packages};
use crate::tool;

/// Programs that ask much of a kernel, what sets a container up in a container, and a shell.
const PACKAGES: [&str; 14] = [
    "base-files",
    "base-passwd",
    "usr-is-merged",
    "dash",
    "bash",
    "coreutils",
    "postgresql-15",
    "nodejs",
    "python3",
    "nftables",
    "iptables",
    "iproute2",
    "util-linux",
    "mount",
];

/// The starts of the names of packages that these depend on and that the tests do without: they would be half of the tree, which each
/// test makes a disk of.
const LEFT_OUT: [&str; 9] =
    ["debconf", "dpkg", "libc-l10n", "libllvm", "libperl", "libz3", "locales", "openssl", "perl"];

/// Likewise, folders.
const LEFT_OUT_FOLDERS: [&str; 4] =
    ["usr/share/doc", "usr/share/locale", "usr/share/man", "usr/lib/postgresql/15/lib/bitcode"];

/// What the installation of `base-passwd` would copy.
const COPIES: [(&str, &str); 2] = [
    ("usr/share/base-passwd/passwd.master", "etc/passwd"),
    ("usr/share/base-passwd/group.master", "etc/group"),
];

/// The folder for `arch`; downloaded and unpacked when the cache has none.
pub fn provide(arch: Arch) -> Result<PathBuf, Error> {
    let contents = format!("{PACKAGES:?}{LEFT_OUT:?}{LEFT_OUT_FOLDERS:?}{COPIES:?}");
    let key = Digest::of(contents.as_bytes()).hex();
    let entry = format!("{}-{}", arch.debian(), &key[..16]);
    Cache::open("distribution")?.directory(&entry, |folder| fill(arch, folder))
}

fn fill(arch: Arch, folder: &Path) -> Result<(), Error> {
    needs::provide(&[&needs::DPKG_DEB])?;
    let download = tempfile::tempdir().doing(|| "create a temporary folder".into())?;
    let packages = Packages::private(arch)?;
    let archives = packages.retrying(|| packages.download_all(&PACKAGES, download.path()))?;
    for archive in archives {
        let name = archive.file_name().unwrap_or_default().to_string_lossy();
        if !LEFT_OUT.iter().any(|start| name.starts_with(start)) {
            let mut command = Command::new("dpkg-deb");
            tool::run("unpacking packages", command.arg("-x").arg(&archive).arg(folder))?;
        }
    }
    for name in LEFT_OUT_FOLDERS {
        let path = folder.join(name);
        fs::remove_dir_all(&path).doing(|| format!("remove {}", path.display()))?;
    }
    for (from, to) in COPIES {
        let path = folder.join(to);
        fs::copy(folder.join(from), &path).doing(|| format!("write {}", path.display()))?;
    }
    Ok(())
}
