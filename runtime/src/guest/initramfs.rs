//! The initramfs: guest-init as `/init`, the kernel's modules in load order, and a console.

use std::fs;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use boot::cpio::Writer;
use boot::decompress::{Format, decompress};

use super::{GuestError, read_failed};
use crate::cache::{Cache, Entry, Folder};
use crate::digest::Digest;

/// Changes when equal contents would give another archive.
const FORMAT: &str = "initramfs 1";

/// The most that one module may unfold to.
const MAX_MODULE: usize = 64 << 20;

/// A module as it goes into the archive.
struct Module {
    name: String,
    bytes: Vec<u8>,
}

/// The initramfs with this init and these modules, from the cache or made now.
pub fn initramfs(
    cache: &Cache,
    init: &Path,
    modules: Option<&Path>,
) -> Result<PathBuf, GuestError> {
    let init = fs::read(init).map_err(read_failed(init))?;
    let modules = modules.map(read_modules).transpose()?.unwrap_or_default();
    let mut names = format!("{FORMAT}\ninit {}\n", Digest::of(&init));
    for module in &modules {
        names += &format!("{} {}\n", module.name, Digest::of(&module.bytes));
    }
    let name = format!("{}.cpio", Digest::of(names.as_bytes()).hex());
    match cache.entry(Folder::Initramfs, &name)? {
        Entry::Ready(path) => Ok(path),
        Entry::Missing(pending) => {
            write(&pending.file, &init, &modules)
                .map_err(|error| pending.failed(io::Error::other(error)))?;
            Ok(pending.commit()?)
        }
    }
}

fn write(
    out: impl std::io::Write,
    init: &[u8],
    modules: &[Module],
) -> Result<(), boot::cpio::CpioError> {
    let mut archive = Writer::new(BufWriter::new(out));
    archive.directory("dev", 0o755)?;
    // The kernel opens it for init before anything is mounted (major 5, minor 1: devices.txt).
    archive.char_device("dev/console", 0o600, 5, 1)?;
    // Rust's runtime opens it in place of a missing stdin, stdout or stderr: a kernel without any console has none.
    archive.char_device("dev/null", 0o666, 1, 3)?;
    archive.file("init", 0o755, init)?;
    archive.directory("modules", 0o755)?;
    for module in modules {
        archive.file(&format!("modules/{}", module.name), 0o644, &module.bytes)?;
    }
    archive.finish()?;
    Ok(())
}

/// The folder's modules in the order of their names, which start with a number for that: `00-virtio_mmio.ko`. A
/// compressed one is decompressed here, once, instead of at every boot in the guest.
fn read_modules(folder: &Path) -> Result<Vec<Module>, GuestError> {
    let mut modules = Vec::new();
    for entry in fs::read_dir(folder).map_err(read_failed(folder))? {
        let path = entry.map_err(read_failed(folder))?.path();
        let file_name = path.file_name().unwrap_or_default();
        let name =
            file_name.to_str().ok_or_else(|| GuestError::ModuleName { path: path.clone() })?;
        let Some((stem, _)) = name.split_once(".ko") else { continue };
        let mut bytes = fs::read(&path).map_err(read_failed(&path))?;
        if Format::detect(&bytes).is_some() {
            bytes = decompress(&bytes, MAX_MODULE)
                .map_err(|source| GuestError::Module { path: path.clone(), source })?;
        }
        modules.push(Module { name: format!("{stem}.ko"), bytes });
    }
    if modules.is_empty() {
        return Err(GuestError::NoModules { path: folder.to_owned() });
    }
    modules.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(modules)
}
