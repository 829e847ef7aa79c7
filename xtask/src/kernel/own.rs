//! The guest kernel of our own: Debian's packaged source, our options, this machine's compiler.
//!
//! In the cache, `kernels/own/DIGEST/` holds `vmlinux` or `Image` and the whole configuration as `config`. The digest is of
//! all that decides what is built: the source's version, the options, the compiler's version and how it is called.
//! `kernels/own/ARCHITECTURE` is a link to the one in use. Nothing of it is in our source tree, and nobody is given the binary:
//! Linux is under the GPL, version 2, and whoever runs this gets its source from Debian.

mod build;
mod options;
mod source;

use std::fs;
use std::path::{Path, PathBuf};

use host::digest::Digest;

use super::image_name;
use crate::arch::Arch;
use crate::cache::Cache;
use crate::error::{Doing, Error};
use crate::needs;
use build::Compiler;
use options::Fragment;
use source::Source;

/// Changes when equal inputs are built in another way.
const RECIPE: &str = "guest kernel 1";

/// The name of the configuration beside the kernel.
const CONFIG: &str = "config";

fn cache() -> Result<Cache, Error> {
    // Apart from Debian's, so that nobody who wants that one waits for a build.
    Cache::open("kernels/own")
}

/// The image of the kernel of an earlier run, if there is one.
pub fn cached(arch: Arch) -> Result<Option<PathBuf>, Error> {
    let image = cache()?.path(arch.name()).join(image_name(arch));
    Ok(image.is_file().then_some(image))
}

/// The image of the kernel, built unless that has been done before.
pub fn provide(arch: Arch) -> Result<PathBuf, Error> {
    let fragments = Fragment::of(arch);
    needs::provide(&needs::kernel(arch))?;
    let source = Source::find()?;
    let compiler = Compiler::find(arch)?;
    let digest = key(&source.version, &fragments, &compiler.version);
    let cache = cache()?;
    cache.directory(&digest, |dir| build::build(arch, &source, &fragments, &compiler, dir))?;
    cache.link(arch.name(), &digest)?;
    Ok(cache.path(&digest).join(image_name(arch)))
}

/// Builds it again elsewhere, and fails when that gives another file than `image`.
pub fn check_reproducible(arch: Arch, image: &Path) -> Result<(), Error> {
    let folder = tempfile::tempdir().doing(|| "create a temporary folder".into())?;
    build::build(
        arch,
        &Source::find()?,
        &Fragment::of(arch),
        &Compiler::find(arch)?,
        folder.path(),
    )?;
    let digest = |path: &Path| {
        fs::read(path).map(|bytes| Digest::of(&bytes)).doing(|| format!("read {}", path.display()))
    };
    let (first, second) = (digest(image)?, digest(&folder.path().join(image_name(arch)))?);
    if first != second {
        let (first, second) = (first.hex(), second.hex());
        let message = format!("the kernel is not reproducible: sha256 {first}, then {second}");
        return Err(Error::Content(message));
    }
    eprintln!("xtask: built twice, in two folders: sha256 {}", first.hex());
    Ok(())
}

/// The name of what is built from these.
fn key(version: &str, fragments: &[Fragment], compiler: &str) -> String {
    let options = fragments.iter().map(|fragment| fragment.text).collect::<String>();
    Digest::of([RECIPE, version, compiler, &options].join("\n").as_bytes()).hex().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_changes_with_the_source_the_options_the_compiler_and_the_architecture() {
        let [pc, arm] = [Arch::X86_64, Arch::Aarch64].map(Fragment::of);
        let keys = [
            key("6.12.1-1", &pc, "gcc 12.2.0"),
            key("6.12.2-1", &pc, "gcc 12.2.0"),
            key("6.12.1-1", &pc[..1], "gcc 12.2.0"),
            key("6.12.1-1", &pc, "gcc 14.1.0"),
            key("6.12.1-1", &arm, "gcc 12.2.0"),
        ];
        for (number, one) in keys.iter().enumerate() {
            assert!(!keys[..number].contains(one), "{number}");
        }
        assert_eq!(keys[0], key("6.12.1-1", &pc, "gcc 12.2.0"));
    }
}
