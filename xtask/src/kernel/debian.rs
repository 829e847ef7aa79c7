//! Debian's Linux kernel, for emulated hosts and for guests where there is none of our own: the cloud kernel package,
//! decompressed once and kept.
//!
//! In the cache, `kernels/RELEASE/` holds `vmlinux` (an x86_64 kernel's uncompressed ELF) or `Image` (an aarch64
//! kernel's), `modules/NN-name.ko` (for a guest) and `host-modules/NN-name.ko` (for the emulated host), decompressed and
//! numbered in the order in which they have to be loaded. `kernels/ARCHITECTURE` is a link to the release in use.

mod modules;
mod package;

use std::fs;
use std::path::{Path, PathBuf};

use boot::arm64_image;
use host::text::in_one_line;

use super::image_name;
use crate::arch::Arch;
use crate::cache::Cache;
use crate::error::{Doing, Error};
use crate::needs::{self, Packages};
use crate::progress::Step;

/// What a guest loads: its transport, disks, network, sockets and entropy, and the file systems of an image.
const GUEST_MODULES: [&str; 7] = [
    "virtio_mmio",
    "virtio_blk",
    "virtio_net",
    "vmw_vsock_virtio_transport",
    "virtio_rng",
    "erofs",
    "overlay",
];

/// What the emulated host loads: its ports and its root file system (built into some kernels), KVM on its emulated CPU's
/// SVM (on an EL2 it is built in), and networks. The kernel would ask for most of these by itself, but the modules that it
/// is given in `/lib/modules` are another kernel's.
const HOST_MODULES: [&[&str]; 5] = [
    &["virtio_pci", "virtio_console", "virtiofs", "kvm_amd"],
    // TAPs, what they are connected to, and what connects them.
    &["tun", "veth", "bridge", "dummy", "sch_ingress", "cls_u32", "act_mirred"],
    // The rules of a network's firewall as `nft` puts them: netavark 1.10 and newer.
    &[
        "nf_tables",
        "nft_chain_nat",
        "nft_ct",
        "nft_fib_inet",
        "nft_masq",
        "nft_nat",
        "nft_reject_inet",
    ],
    // As `iptables` puts them, by nf_tables or by its own tables: netavark before 1.10, CNI's plugins.
    &["nft_compat", "iptable_filter", "iptable_nat", "ip6table_filter", "ip6table_nat"],
    &[
        "xt_addrtype",
        "xt_comment",
        "xt_conntrack",
        "xt_mark",
        "xt_MASQUERADE",
        "xt_multiport",
        "xt_nat",
        "xt_tcpudp",
    ],
];

/// What an emulated host of another architecture loads besides: its root file system is put together, and tests mount what
/// they have made.
const FOREIGN_HOST_MODULES: [&str; 3] = ["overlay", "erofs", "loop"];

/// Behind a release in the name of its folder: changes when other parts of the package are taken.
const SELECTION: &str = "-3";

/// A kernel in the cache.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// What it runs on.
    arch: Arch,
    /// Its folder.
    dir: PathBuf,
}

impl Kernel {
    /// The kernel of an earlier run, if there is one.
    pub fn cached(arch: Arch) -> Result<Option<Kernel>, Error> {
        let dir = Cache::open("kernels")?.path(arch.name());
        Ok(dir.is_dir().then_some(Kernel { arch, dir }))
    }

    /// The kernel of an earlier run; otherwise it is downloaded and unpacked.
    pub fn provide(arch: Arch) -> Result<Kernel, Error> {
        let cached = Kernel::cached(arch)?;
        // An older series was taken when the package lists offered no better: they may do so now.
        if let Some(kernel) = cached.as_ref().filter(|kernel| kernel.is_preferred()) {
            return Ok(kernel.clone());
        }
        needs::provide(&[&needs::DPKG_DEB])?;
        let packages = Packages::of(arch)?;
        // New series are not in old package lists.
        if packages.may_refresh() && !package::is_preferred_offered(&packages) {
            packages.refresh()?;
        }
        packages.retrying(|| Kernel::download(&packages)).or_else(|error| cached.ok_or(error))
    }

    /// Whether it is of the series that guests are made for.
    fn is_preferred(&self) -> bool {
        let release = fs::read_link(&self.dir).unwrap_or_default();
        let release = release.to_string_lossy();
        release.starts_with(package::PREFERRED_SERIES) && release.ends_with(SELECTION)
    }

    fn download(packages: &Packages) -> Result<Kernel, Error> {
        let arch = packages.arch;
        let name = package::newest(packages)?;
        let release = package::release(&name)?;
        let cache = Cache::open("kernels")?;
        let folder = format!("{release}{SELECTION}");
        cache.directory(&folder, |dir| unpack(packages, &name, release, dir))?;
        cache.link(arch.name(), &folder)?;
        Ok(Kernel { arch, dir: cache.path(arch.name()) })
    }

    /// The uncompressed kernel.
    pub fn image(&self) -> PathBuf {
        self.dir.join(image_name(self.arch))
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

fn unpack(packages: &Packages, package: &str, release: &str, dir: &Path) -> Result<(), Error> {
    let tree = tempfile::tempdir_in(dir).doing(|| format!("write to {}", dir.display()))?;
    package::fetch(packages, package, tree.path())?;
    let _step = Step::start("decompressing the kernel");
    let packed = tree.path().join("boot").join(format!("vmlinuz-{release}"));
    let bytes = fs::read(&packed).doing(|| format!("read {}", packed.display()))?;
    let failed = |error: &dyn std::error::Error| {
        Error::Content(format!("{package}: vmlinuz-{release}: {}", in_one_line(error)))
    };
    let image = match packages.arch {
        Arch::X86_64 => boot::bzimage::extract_vmlinux(&bytes).map_err(|e| failed(&e))?,
        Arch::Aarch64 if arm64_image::is_image(&bytes) => bytes,
        Arch::Aarch64 => arm64_image::extract_image(&bytes).map_err(|e| failed(&e))?,
    };
    write(&dir.join(image_name(packages.arch)), &image)?;
    let all = modules::Tree::open(&tree.path().join("lib/modules").join(release))?;
    let foreign = FOREIGN_HOST_MODULES.iter().filter(|_| packages.arch != Arch::NATIVE);
    let host_modules: Vec<&str> =
        HOST_MODULES.into_iter().flatten().chain(foreign).copied().collect();
    for (folder, names) in [("modules", &GUEST_MODULES[..]), ("host-modules", &host_modules)] {
        let folder = dir.join(folder);
        fs::create_dir(&folder).doing(|| format!("create {}", folder.display()))?;
        for (number, module) in all.load_order(names)?.iter().enumerate() {
            write(&folder.join(format!("{number:02}-{}.ko", module.name)), &module.content)?;
        }
    }
    Ok(())
}

fn write(path: &Path, content: &[u8]) -> Result<(), Error> {
    fs::write(path, content).doing(|| format!("write {}", path.display()))
}
