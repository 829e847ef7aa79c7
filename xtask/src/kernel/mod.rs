//! The Linux kernel of guests and of the emulated host: the distribution's cloud kernel package,
//! decompressed once and kept.
//!
//! In the cache, `kernels/RELEASE/` holds `vmlinux` (the uncompressed ELF), `modules/NN-name.ko` (for
//! a guest) and `host-modules/NN-name.ko` (for the emulated host), decompressed and numbered in the
//! order in which they have to be loaded. `kernels/default` is a link to the release in use.

mod modules;
mod package;

use std::fs;
use std::path::{Path, PathBuf};

use crate::cache::Cache;
use crate::error::{Doing, Error};
use crate::needs;

/// What a guest loads: its transport, disks, sockets and entropy, and the file systems of an image.
const GUEST_MODULES: [&str; 6] =
    ["virtio_mmio", "virtio_blk", "vmw_vsock_virtio_transport", "virtio_rng", "erofs", "overlay"];

/// What the emulated host loads: its ports and its root file system (built into some kernels), and KVM on
/// its emulated CPU's SVM.
const HOST_MODULES: [&str; 4] = ["virtio_pci", "virtio_console", "virtiofs", "kvm_amd"];

/// The link to the kernel in use.
const DEFAULT: &str = "default";

/// A kernel in the cache.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// Its folder.
    pub dir: PathBuf,
}

impl Kernel {
    /// The kernel of an earlier run, if there is one.
    pub fn cached() -> Result<Option<Kernel>, Error> {
        let dir = Cache::open("kernels")?.path(DEFAULT);
        Ok(dir.is_dir().then_some(Kernel { dir }))
    }

    /// The kernel of an earlier run; otherwise it is downloaded and unpacked.
    pub fn provide() -> Result<Kernel, Error> {
        let cached = Kernel::cached()?;
        // An older series was taken when the package lists offered no better: they may do so now.
        if let Some(kernel) = cached.as_ref().filter(|kernel| kernel.is_preferred()) {
            return Ok(kernel.clone());
        }
        needs::provide(&[&needs::DPKG_DEB])?;
        // Package lists go out of date: new series are not in them yet, and a package that they name is
        // gone when its successor comes.
        if needs::may_install() && !package::is_preferred_offered() {
            needs::refresh()?;
        }
        match Kernel::download() {
            Err(_) if needs::may_install() => {
                needs::refresh()?;
                Kernel::download()
            }
            result => result,
        }
        .or_else(|error| cached.ok_or(error))
    }

    /// Whether it is of the series that guests are made for.
    fn is_preferred(&self) -> bool {
        let release = fs::read_link(&self.dir).unwrap_or_default();
        release.to_string_lossy().starts_with(package::PREFERRED_SERIES)
    }

    fn download() -> Result<Kernel, Error> {
        let name = package::newest()?;
        let release = package::release(&name)?;
        let cache = Cache::open("kernels")?;
        cache.directory(release, |dir| unpack(&name, release, dir))?;
        cache.link(DEFAULT, release)?;
        Ok(Kernel { dir: cache.path(DEFAULT) })
    }

    /// The uncompressed kernel.
    pub fn image(&self) -> PathBuf {
        self.dir.join("vmlinux")
    }

    /// The emulated host's modules, in load order.
    pub fn host_modules(&self) -> Result<Vec<PathBuf>, Error> {
        let dir = self.dir.join("host-modules");
        let entries = fs::read_dir(&dir).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let entries = entries.doing(|| format!("read {}", dir.display()))?;
        let mut paths: Vec<PathBuf> = entries.iter().map(fs::DirEntry::path).collect();
        paths.sort();
        Ok(paths)
    }
}

fn unpack(package: &str, release: &str, dir: &Path) -> Result<(), Error> {
    let tree = tempfile::tempdir_in(dir).doing(|| format!("write to {}", dir.display()))?;
    package::fetch(package, tree.path())?;
    let bar = crate::tool::spinner("decompressing the kernel");
    let compressed = tree.path().join("boot").join(format!("vmlinuz-{release}"));
    let bytes = fs::read(&compressed).doing(|| format!("read {}", compressed.display()))?;
    let vmlinux = boot::bzimage::extract_vmlinux(&bytes)
        .map_err(|error| Error::Content(format!("{package}: vmlinuz-{release}: {error}")))?;
    write(&dir.join("vmlinux"), &vmlinux)?;
    let all = modules::Tree::open(&tree.path().join("lib/modules").join(release))?;
    for (folder, names) in [("modules", &GUEST_MODULES[..]), ("host-modules", &HOST_MODULES[..])] {
        let folder = dir.join(folder);
        fs::create_dir(&folder).doing(|| format!("create {}", folder.display()))?;
        for (number, module) in all.load_order(names)?.iter().enumerate() {
            write(&folder.join(format!("{number:02}-{}.ko", module.name)), &module.content)?;
        }
    }
    bar.finish_and_clear();
    Ok(())
}

fn write(path: &Path, content: &[u8]) -> Result<(), Error> {
    fs::write(path, content).doing(|| format!("write {}", path.display()))
}
