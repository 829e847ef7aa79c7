//! Finding the kernel, and decompressing it once.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use super::GuestError;
use crate::cache::{Cache, Entry, Folder};
use crate::digest::Digest;
use crate::tar::printable;

/// The start of an ELF file (System V ABI, "ELF Identification").
const ELF: &[u8] = b"\x7fELF";

/// No bzImage is larger; it is read whole.
const MAX_BZIMAGE: u64 = 256 << 20;

/// Where `cargo xtask` keeps the kernel that guests boot unless told otherwise: a folder with `vmlinux` and `modules/`.
const DEFAULT: &str = std::env::consts::ARCH;

/// A kernel to boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kernel {
    /// The uncompressed ELF file.
    pub image: PathBuf,
    /// Its modules, where it has any.
    pub modules: Option<PathBuf>,
}

/// The kernel at `path`, or the default one. Its modules are in `modules`, or in a folder of that name beside it.
pub fn kernel(
    cache: &Cache,
    path: Option<&Path>,
    modules: Option<&Path>,
) -> Result<Kernel, GuestError> {
    let found = match path {
        Some(path) => path.to_owned(),
        None => cache.path(Folder::Kernels, DEFAULT).join("vmlinux"),
    };
    if path.is_none() && !found.is_file() {
        return Err(GuestError::NoKernel { path: found });
    }
    let beside = found.with_file_name("modules");
    let modules = modules.map(Path::to_owned).or_else(|| beside.is_dir().then_some(beside));
    Ok(Kernel { image: uncompressed(cache, &found)?, modules })
}

/// The kernel as an ELF file: itself, or its decompressed copy in the cache.
fn uncompressed(cache: &Cache, path: &Path) -> Result<PathBuf, GuestError> {
    let failed = |source| GuestError::ReadKernel { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(failed(std::io::Error::other("it is not a regular file")));
    }
    let mut bytes = Vec::new();
    (&mut file).take(4096).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.starts_with(ELF) {
        // Whole, for this machine, inside memory? The VMM checks all that before it boots it.
        return fs::canonicalize(path).map_err(failed);
    }
    if !boot::bzimage::is_bzimage(&bytes) {
        let start = printable(&bytes[..bytes.len().min(24)]);
        return Err(GuestError::NotAKernel { path: path.to_owned(), start });
    }
    let len = metadata.len();
    if len > MAX_BZIMAGE {
        return Err(GuestError::KernelTooLarge { path: path.to_owned(), len, limit: MAX_BZIMAGE });
    }
    file.take(MAX_BZIMAGE).read_to_end(&mut bytes).map_err(failed)?;
    let name = format!("{}.vmlinux", Digest::of(&bytes).hex());
    match cache.entry(Folder::Kernels, &name)? {
        Entry::Ready(path) => Ok(path),
        Entry::Missing(mut pending) => {
            let vmlinux = boot::bzimage::extract_vmlinux(&bytes)
                .map_err(|source| GuestError::BzImage { path: path.to_owned(), source })?;
            pending.file.write_all(&vmlinux).map_err(|source| pending.failed(source))?;
            Ok(pending.commit()?)
        }
    }
}
