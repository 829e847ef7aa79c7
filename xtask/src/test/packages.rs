//! The packages that tests make real images of, in the cache: a folder for each image, with all that it needs.

use std::fs;
use std::path::{Path, PathBuf};

use host::digest::Digest;

use crate::arch::Arch;
use crate::cache::Cache;
use crate::error::{Doing, Error};
use crate::needs::Packages;

/// What is in every image. Each entry is a list of alternatives.
const BASE: [&[&str]; 4] = [
    &["base-files"],
    &["base-passwd"],
    // For base-files, which otherwise would have usrmerge, and that all of perl. A later release may do without.
    &["usr-is-merged", "base-files"],
    // Some hundred files, many of them links.
    &["tzdata"],
];

/// The images, each called after the first of its packages: the quickest to judge are first.
const IMAGES: [&[&str]; 5] = [
    &["busybox"],
    &["bash", "coreutils"],
    &["python3-minimal"],
    &["nginx-light"],
    &["redis-server"],
];

/// How many of them are for an emulated host of another architecture, which takes ten times as long.
const FOREIGN_IMAGES: usize = 2;

/// The folder of folders for tests of `arch`, with packages for this machine; downloaded when the cache has none.
pub fn provide(arch: Arch) -> Result<PathBuf, Error> {
    let images = if arch == Arch::NATIVE { &IMAGES[..] } else { &IMAGES[..FOREIGN_IMAGES] };
    let key = Digest::of(format!("{BASE:?}{images:?}").as_bytes()).hex();
    let entry = format!("{}-{}", Arch::NATIVE.debian(), &key[..16]);
    Cache::open("packages")?.directory(&entry, |folder| fill(folder, images))
}

fn fill(folder: &Path, images: &[&[&str]]) -> Result<(), Error> {
    // With lists of their own, so that any user can refresh them.
    let packages = Packages::private(Arch::NATIVE)?;
    for image in images {
        let folder = folder.join(image[0]);
        fs::create_dir(&folder).doing(|| format!("create {}", folder.display()))?;
        packages.retrying(|| {
            let base = BASE.iter().map(|names| packages.first_offered(names));
            packages.download_all(&base.chain(image.iter().copied()).collect::<Vec<_>>(), &folder)
        })?;
    }
    Ok(())
}
