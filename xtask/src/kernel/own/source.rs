//! The source: Debian's package of it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::arch::Arch;
use crate::error::{Doing, Error};
use crate::needs::{self, Packages};
use crate::tool;

/// The package, of the series that Debian's cloud kernel for guests has too.
const PACKAGE: &str = "linux-source-6.12";

/// The archive in it, and the folder in that.
const ARCHIVE: &str = "usr/src/linux-source-6.12.tar.xz";
const FOLDER: &str = "linux-source-6.12";

/// The source that the package lists offer.
pub struct Source {
    packages: Packages,
    /// Its version, as `6.12.117-1~deb12u1`.
    pub version: String,
}

impl Source {
    /// The newest.
    pub fn find() -> Result<Source, Error> {
        let packages = Packages::of(Arch::NATIVE)?;
        if packages.candidate(PACKAGE).is_none() && packages.may_refresh() {
            packages.refresh()?;
        }
        let version = packages.candidate(PACKAGE).ok_or_else(|| {
            Error::Missing(format!(
                "no kernel source: the package lists don't offer {PACKAGE}; refresh them with `apt-get update`"
            ))
        })?;
        Ok(Source { packages, version })
    }

    /// Downloads it and unpacks it into the folder `dir`; returns the folder of the source.
    pub fn unpack(&self, dir: &Path) -> Result<PathBuf, Error> {
        let packed = tempfile::tempdir_in(dir).doing(|| format!("write to {}", dir.display()))?;
        // The very version that names the result, not one that came meanwhile.
        let package = format!("{PACKAGE}={}", self.version);
        self.packages.retrying(|| self.packages.download(&package, packed.path()))?;
        let archive = needs::archives(packed.path())?.pop();
        let archive = archive
            .ok_or_else(|| Error::Content(format!("{package}: the download left no .deb file")))?;
        let tree = packed.path().join("tree");
        let message = "unpacking the kernel's source";
        tool::run(message, Command::new("dpkg-deb").arg("-x").arg(archive).arg(&tree))?;
        let mut tar = Command::new("tar");
        tool::run(message, tar.arg("-xJf").arg(tree.join(ARCHIVE)).arg("-C").arg(dir))?;
        Ok(dir.join(FOLDER))
    }
}
