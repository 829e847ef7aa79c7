//! The initramfs: guest-init as `/init`, the kernel's modules in load order, and a console.

use std::fs;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::thread;

use boot::cpio::Writer;
use boot::decompress::{Format, decompress};

use super::{GuestError, read_failed};
use host::cache::{Cache, Entry, Folder};
use host::digest::Digest;
use host::stamp::{CLOCK_TICK, stamp};

/// Changes when equal files would give another archive.
const FORMAT: &str = "initramfs 2";

/// The most that one module may unfold to.
const MAX_MODULE: usize = 64 << 20;

/// A file on its way into the archive.
struct Source {
    /// What it is called there.
    name: String,
    path: PathBuf,
}

/// The initramfs with this init and these modules, from the cache or made now. It is known by the state of these
/// files, because reading and digesting them each time would cost a tenth of a boot.
pub fn initramfs(
    cache: &Cache,
    init: &Path,
    modules: Option<&Path>,
) -> Result<PathBuf, GuestError> {
    let mut sources = vec![Source { name: "init".to_owned(), path: init.to_owned() }];
    sources.extend(modules.map(list_modules).transpose()?.unwrap_or_default());
    loop {
        let digest = fingerprint(&sources)?;
        match cache.entry(Folder::Initramfs, &format!("{}.cpio", digest.hex()))? {
            Entry::Ready(path) => return Ok(path),
            Entry::Missing(pending) => {
                // See there: a change from here on shows in the second fingerprint.
                thread::sleep(CLOCK_TICK);
                let files = sources.iter().map(read).collect::<Result<Vec<_>, _>>()?;
                if fingerprint(&sources)? == digest {
                    write(&pending.file, &sources, &files)
                        .map_err(|error| pending.failed(io::Error::other(error)))?;
                    return Ok(pending.commit()?);
                }
            }
        }
    }
}

/// A digest that changes whenever one of the files does.
fn fingerprint(sources: &[Source]) -> Result<Digest, GuestError> {
    let mut text = format!("{FORMAT}\n");
    for Source { name, path } in sources {
        let metadata = fs::metadata(path).map_err(read_failed(path))?;
        text += &format!("{name} {:?}\n", stamp(&metadata));
    }
    Ok(Digest::of(text.as_bytes()))
}

fn write(
    out: impl std::io::Write,
    sources: &[Source],
    files: &[Vec<u8>],
) -> Result<(), boot::cpio::CpioError> {
    let mut archive = Writer::new(BufWriter::new(out));
    archive.directory("dev", 0o755)?;
    // The kernel opens it for init before anything is mounted (major 5, minor 1: devices.txt).
    archive.char_device("dev/console", 0o600, 5, 1)?;
    // Rust's runtime opens it in place of a missing stdin, stdout or stderr: a kernel without any console has none.
    archive.char_device("dev/null", 0o666, 1, 3)?;
    archive.directory("modules", 0o755)?;
    for (number, (source, bytes)) in sources.iter().zip(files).enumerate() {
        let mode = if number == 0 { 0o755 } else { 0o644 };
        archive.file(&source.name, mode, bytes)?;
    }
    archive.finish()?;
    Ok(())
}

/// The folder's modules in the order of their names, which start with a number for that: `00-virtio_mmio.ko`.
fn list_modules(folder: &Path) -> Result<Vec<Source>, GuestError> {
    let mut modules = Vec::new();
    for entry in fs::read_dir(folder).map_err(read_failed(folder))? {
        let path = entry.map_err(read_failed(folder))?.path();
        let file_name = path.file_name().unwrap_or_default();
        let name =
            file_name.to_str().ok_or_else(|| GuestError::ModuleName { path: path.clone() })?;
        let Some((stem, _)) = name.split_once(".ko") else { continue };
        modules.push(Source { name: format!("modules/{stem}.ko"), path });
    }
    if modules.is_empty() {
        return Err(GuestError::NoModules { path: folder.to_owned() });
    }
    modules.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(modules)
}

/// A file as it goes into the archive. A compressed module is decompressed here, once, instead of at every boot in
/// the guest.
fn read(source: &Source) -> Result<Vec<u8>, GuestError> {
    let path = &source.path;
    let bytes = fs::read(path).map_err(read_failed(path))?;
    match Format::detect(&bytes) {
        None => Ok(bytes),
        Some(_) => decompress(&bytes, MAX_MODULE)
            .map_err(|source| GuestError::Module { path: path.clone(), source }),
    }
}
