//! The root file systems that tests run a distribution's own programs from, in the cache: folders made of Debian packages.

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

/// What every server's root file system has: a shell, and the tools to set things up as the packages' scripts would, which are
/// not run.
const BASE: [&str; 5] = ["base-files", "base-passwd", "usr-is-merged", "dash", "coreutils"];

/// The servers that clients on the host talk to, each with what else is in its root file system. (`setpriv` is in util-linux:
/// PostgreSQL refuses to be root's.)
const SERVERS: [(&str, &[&str]); 3] = [
    ("nginx", &["nginx-light"]),
    ("redis", &["redis-server"]),
    ("postgresql", &["util-linux", "postgresql-15"]),
];

/// The starts of the names of packages that these depend on and that the tests do without: they would be half of the tree, which each
/// test makes a disk of.
const LEFT_OUT: [&str; 9] =
    ["debconf", "dpkg", "libc-l10n", "libllvm", "libperl", "libz3", "locales", "openssl", "perl"];

/// Likewise, folders, where they are.
const LEFT_OUT_FOLDERS: [&str; 4] =
    ["usr/share/doc", "usr/share/locale", "usr/share/man", "usr/lib/postgresql/15/lib/bitcode"];

/// What the installation of `base-passwd` would copy.
const COPIES: [(&str, &str); 2] = [
    ("usr/share/base-passwd/passwd.master", "etc/passwd"),
    ("usr/share/base-passwd/group.master", "etc/group"),
];

/// The folder for `arch`; downloaded and unpacked when the cache has none.
pub fn provide(arch: Arch) -> Result<PathBuf, Error> {
    let entry = entry(arch, &format!("{PACKAGES:?}"));
    Cache::open("distribution")?.directory(&entry, |folder| fill(arch, &PACKAGES, folder))
}

/// Likewise, the folder of the servers' folders.
pub fn servers(arch: Arch) -> Result<PathBuf, Error> {
    let entry = entry(arch, &format!("{BASE:?}{SERVERS:?}"));
    Cache::open("servers")?.directory(&entry, |folder| {
        SERVERS.iter().try_for_each(|(name, packages)| {
            fill(arch, &[&BASE, *packages].concat(), &folder.join(name))
        })
    })
}

/// Its name in the cache, which is another one when it is made otherwise.
fn entry(arch: Arch, packages: &str) -> String {
    let contents = format!("{packages}{LEFT_OUT:?}{LEFT_OUT_FOLDERS:?}{COPIES:?}");
    let key = Digest::of(contents.as_bytes()).hex();
    format!("{}-{}", arch.debian(), &key[..16])
}

fn fill(arch: Arch, names: &[&str], folder: &Path) -> Result<(), Error> {
    needs::provide(&[&needs::DPKG_DEB])?;
    let download = tempfile::tempdir().doing(|| "create a temporary folder".into())?;
    let packages = Packages::private(arch)?;
    let archives = packages.retrying(|| packages.download_all(names, download.path()))?;
    for archive in archives {
        let name = archive.file_name().unwrap_or_default().to_string_lossy();
        if !LEFT_OUT.iter().any(|start| name.starts_with(start)) {
            let mut command = Command::new("dpkg-deb");
            tool::run("unpacking packages", command.arg("-x").arg(&archive).arg(folder))?;
        }
    }
    for path in LEFT_OUT_FOLDERS.map(|name| folder.join(name)) {
        if path.exists() {
            fs::remove_dir_all(&path).doing(|| format!("remove {}", path.display()))?;
        }
    }
    for (from, to) in COPIES {
        let path = folder.join(to);
        fs::copy(folder.join(from), &path).doing(|| format!("write {}", path.display()))?;
    }
    Ok(())
}
