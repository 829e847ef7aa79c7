//! A Debian system of another architecture in the cache: the programs of an emulated host that can't use this machine's.
//!
//! The package manager resolves and downloads the packages as if nothing were installed, and they are unpacked. No program of theirs
//! can run here, so what their maintainer scripts would do is done by hand, as far as it is needed.

use std::path::{Path, PathBuf};
use std::process::Command;

use host::digest::Digest;

use crate::arch::Arch;
use crate::cache::Cache;
use crate::error::{Doing, Error};
use crate::needs::{self, Packages};
use crate::tool;

/// A small system. Each entry is a list of alternatives.
const SYSTEM: [&[&str]; 21] = [
    &["base-files"],
    &["base-passwd"],
    // For base-files, which otherwise would have usrmerge, and that all of perl. A later release may do without.
    &["usr-is-merged", "base-files"],
    &["bash"],
    &["coreutils"],
    &["dash"],
    &["diffutils"],
    &["findutils"],
    &["grep"],
    &["gzip"],
    &["hostname"],
    &["iproute2"],
    &["kmod"],
    &["libc-bin"],
    &["mawk"],
    &["mount"],
    &["perl-base"],
    &["procps"],
    &["sed"],
    &["tar"],
    &["util-linux"],
];

/// Unpacks packages into a folder. `dpkg-deb -x` would put folders in the place of the links of a merged /usr.
const UNPACK: &str = r#"
set -eo pipefail
cd "$1"
shift
for folder in bin sbin lib lib64; do mkdir -p usr/$folder; ln -s usr/$folder $folder; done
for package; do
  dpkg-deb --fsys-tarfile "$package" |
    tar -xp --numeric-owner --keep-directory-symlink --exclude=./usr/share/{doc,info,locale,man}
done
cp usr/share/base-passwd/passwd.master etc/passwd
cp usr/share/base-passwd/group.master etc/group
echo 127.0.0.1 localhost >etc/hosts
# As ca-certificates does: all authorities that it knows, in one file.
if [ -d usr/share/ca-certificates ]; then
  mkdir -p etc/ssl/certs
  find usr/share/ca-certificates -name '*.crt' -print0 | sort -z | xargs -0 cat >etc/ssl/certs/ca-certificates.crt
fi
for link in awk:mawk sh:dash which:which.debianutils; do
  [ -e usr/bin/${link%:*} ] || ln -s ${link#*:} usr/bin/${link%:*}
done
# As iptables does: the programs that speak nftables go before the others.
if [ -e usr/sbin/xtables-nft-multi ]; then
  for link in iptables ip6tables iptables-save ip6tables-save; do
    [ -e usr/sbin/$link ] || ln -s xtables-nft-multi usr/sbin/$link
  done
fi
"#;

/// The root folder of the system; downloaded and unpacked when the cache has none.
pub fn provide(arch: Arch) -> Result<PathBuf, Error> {
    needs::provide(&[&needs::DPKG_DEB])?;
    Cache::open("roots")?.directory(&entry(arch), |dir| fill(arch, dir))
}

/// The root folder of the system when the cache has it.
pub fn cached(arch: Arch) -> Result<Option<PathBuf>, Error> {
    let path = Cache::open("roots")?.path(&entry(arch));
    Ok(path.is_dir().then_some(path))
}

/// Its name in the cache, which is another one when it is made otherwise.
fn entry(arch: Arch) -> String {
    let key = Digest::of(format!("{:?}{UNPACK}", wanted()).as_bytes()).hex();
    format!("{}-{}", arch.name(), &key[..16])
}

/// The small system, and what is run in the host: by tests, and by measurements.
fn wanted() -> Vec<&'static [&'static str]> {
    let programs = [&needs::BUSYBOX, &needs::DPKG_DEB, &needs::STRACE, &needs::PASST];
    let programs = programs.into_iter().chain(&needs::TESTS);
    SYSTEM.into_iter().chain(programs.map(|program| program.packages)).collect()
}

fn fill(arch: Arch, tree: &Path) -> Result<(), Error> {
    let downloads = tempfile::tempdir().doing(|| "make a temporary folder".into())?;
    let packages = Packages::of(arch)?;
    let archives = packages.retrying(|| {
        let names: Vec<&str> = wanted().iter().map(|names| packages.first_offered(names)).collect();
        packages.download_all(&names, downloads.path())
    })?;
    unpack(&archives, tree)
}

fn unpack(archives: &[PathBuf], tree: &Path) -> Result<(), Error> {
    let mut command = Command::new("bash");
    command.args(["-c", UNPACK, "unpack"]).arg(tree).args(archives);
    tool::run("unpacking packages", &mut command).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn packages_are_unpacked_through_the_links_of_a_merged_usr() {
        if needs::DPKG_DEB.find().is_none() {
            println!(
                "SKIPPED: packages_are_unpacked_through_the_links_of_a_merged_usr: dpkg-deb is not installed"
            );
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let files = [
            (
                "DEBIAN/control",
                "Package: p\nVersion: 1\nArchitecture: all\nMaintainer: m\nDescription: d\n",
            ),
            ("bin/mawk", "awk"),
            ("lib/arch/library", "library"),
            ("etc/configuration", "configuration"),
            ("usr/bin/program", "program"),
            ("usr/share/doc/p/changelog", "long"),
            ("usr/share/base-passwd/passwd.master", "root:*:0:0:root:/root:/bin/bash\n"),
            ("usr/share/base-passwd/group.master", "root:*:0:\n"),
        ];
        for (name, content) in files {
            let path = dir.path().join("package").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let archive = dir.path().join("package.deb");
        let mut build = Command::new("dpkg-deb");
        build.arg("--build").arg(dir.path().join("package")).arg(&archive);
        tool::run("building a package", &mut build).unwrap();

        let tree = dir.path().join("tree");
        fs::create_dir(&tree).unwrap();
        unpack(&[archive], &tree).unwrap();
        let read = |name: &str| fs::read_to_string(tree.join(name)).unwrap();
        assert_eq!(fs::read_link(tree.join("bin")).unwrap(), Path::new("usr/bin"));
        assert_eq!((read("usr/bin/awk"), read("bin/program")), ("awk".into(), "program".into()));
        assert_eq!(read("usr/lib/arch/library"), "library");
        assert!(read("etc/passwd").starts_with("root:"));
        assert!(!tree.join("usr/share/doc").exists());
        // A damaged archive is no empty one.
        let damaged = dir.path().join("damaged.deb");
        fs::write(&damaged, "!<arch>\n").unwrap();
        fs::create_dir(dir.path().join("other")).unwrap();
        assert!(unpack(&[damaged], &dir.path().join("other")).is_err());
    }
}
