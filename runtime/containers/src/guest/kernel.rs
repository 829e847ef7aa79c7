//! Finding the kernel, and decompressing it once.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use boot::{arm64_image, bzimage};

use super::GuestError;
use host::cache::{Cache, Entry, Folder};
use host::digest::Digest;
use host::platform::Platform;
use host::text::printable;

/// No packed kernel is larger; it is read whole.
const MAX_PACKED: u64 = 256 << 20;

/// A kernel to boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kernel {
    /// The uncompressed file, as the VMM takes it: an ELF file on x86_64, an Image on aarch64.
    pub image: PathBuf,
    /// Its modules, where it has any.
    pub modules: Option<PathBuf>,
}

/// What a kernel file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// An ELF file (vmlinux).
    Elf,
    /// An x86 distribution's packed kernel.
    BzImage,
    /// An arm64 Image.
    Image,
    /// What may be an arm64 Image once it is unpacked.
    Packed,
}

impl Format {
    /// By a file's first bytes.
    fn of(start: &[u8]) -> Option<Format> {
        if start.starts_with(b"\x7fELF") {
            Some(Format::Elf)
        } else if bzimage::is_bzimage(start) {
            Some(Format::BzImage)
        } else if arm64_image::is_image(start) {
            Some(Format::Image)
        } else {
            arm64_image::is_packed(start).then_some(Format::Packed)
        }
    }

    /// What it is for, as far as its first bytes tell.
    fn platform(self, start: &[u8]) -> Option<Platform> {
        match self {
            Format::Elf => Platform::of_elf(start),
            Format::BzImage => Some(Platform::Amd64),
            Format::Image => Some(Platform::Arm64),
            Format::Packed => None,
        }
    }
}

/// The kernel at `path`, or the one that `cargo xtask` keeps in the cache. Its modules are in `modules`, or in a folder of that
/// name beside it.
pub fn kernel(
    cache: &Cache,
    platform: Platform,
    path: Option<&Path>,
    modules: Option<&Path>,
) -> Result<Kernel, GuestError> {
    let found = path.map_or_else(|| kept(cache, platform), Path::to_owned);
    if path.is_none() && !found.is_file() {
        return Err(GuestError::NoKernel { path: found, architecture: platform.architecture() });
    }
    let modules = modules.map(Path::to_owned).or_else(|| Kernel::at(&found).modules);
    Ok(Kernel { image: uncompressed(cache, platform, &found)?, modules })
}

impl Kernel {
    /// The uncompressed kernel at `image`, with the modules in the folder of that name beside it, if there is one.
    pub fn at(image: &Path) -> Kernel {
        let beside = image.with_file_name("modules");
        Kernel { image: image.to_owned(), modules: beside.is_dir().then_some(beside) }
    }
}

/// Where the cache has a kernel, if it has one: our own (`cargo xtask kernel`), which is one file, goes before Debian's.
fn kept(cache: &Cache, platform: Platform) -> PathBuf {
    let architecture = platform.architecture();
    let folders = [format!("own/{architecture}"), architecture.to_owned()];
    let [own, debian] =
        folders.map(|folder| cache.path(Folder::Kernels, &folder).join(file_name(platform)));
    if own.is_file() { own } else { debian }
}

/// The kernel as the VMM takes it: the file itself, or its decompressed copy in the cache.
fn uncompressed(cache: &Cache, platform: Platform, path: &Path) -> Result<PathBuf, GuestError> {
    let failed = |source| GuestError::ReadKernel { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(failed(std::io::Error::other("it is not a regular file")));
    }
    let mut bytes = Vec::new();
    (&mut file).take(4096).read_to_end(&mut bytes).map_err(failed)?;
    let format = Format::of(&bytes);
    let found = format.and_then(|format| format.platform(&bytes));
    if let Some(found) = found.filter(|found| *found != platform) {
        let (found, wanted) = (found.architecture(), platform.architecture());
        return Err(GuestError::KernelPlatform { path: path.to_owned(), found, wanted });
    }
    let unpack = match (format, platform) {
        // Whole, inside memory? The VMM checks all that before it boots it.
        (Some(Format::Elf | Format::Image), _) => return fs::canonicalize(path).map_err(failed),
        (Some(Format::BzImage), _) => unpack_bzimage,
        (Some(Format::Packed), Platform::Arm64) => unpack_image,
        _ => {
            let start = printable(&bytes[..bytes.len().min(24)]);
            return Err(GuestError::NotAKernel { path: path.to_owned(), start, platform });
        }
    };
    let len = metadata.len();
    if len > MAX_PACKED {
        return Err(GuestError::KernelTooLarge { path: path.to_owned(), len, limit: MAX_PACKED });
    }
    file.take(MAX_PACKED).read_to_end(&mut bytes).map_err(failed)?;
    let name = format!("{}.{}", Digest::of(&bytes).hex(), file_name(platform));
    match cache.entry(Folder::Kernels, &name)? {
        Entry::Ready(path) => Ok(path),
        Entry::Missing(mut pending) => {
            let kernel = unpack(path, &bytes)?;
            pending.file.write_all(&kernel).map_err(|source| pending.failed(source))?;
            Ok(pending.commit()?)
        }
    }
}

fn unpack_bzimage(path: &Path, bytes: &[u8]) -> Result<Vec<u8>, GuestError> {
    bzimage::extract_vmlinux(bytes)
        .map_err(|source| GuestError::BzImage { path: path.to_owned(), source })
}

fn unpack_image(path: &Path, bytes: &[u8]) -> Result<Vec<u8>, GuestError> {
    arm64_image::extract_image(bytes)
        .map_err(|source| GuestError::PackedImage { path: path.to_owned(), source })
}

/// What an unpacked kernel is called.
fn file_name(platform: Platform) -> &'static str {
    match platform {
        Platform::Amd64 => "vmlinux",
        Platform::Arm64 => "Image",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_kernel_goes_before_debians_and_takes_none_of_its_modules() {
        let place = tempfile::tempdir().unwrap();
        let cache = Cache::open(place.path().to_owned()).unwrap();
        let platform = Platform::Amd64;
        let found = || kernel(&cache, platform, None, None);
        assert!(matches!(found(), Err(GuestError::NoKernel { .. })));
        let keep = |folder: &str| {
            let folder = cache.path(Folder::Kernels, folder);
            fs::create_dir_all(&folder).unwrap();
            // e_machine (System V ABI, amd64 supplement) is at 18.
            fs::write(
                folder.join("vmlinux"),
                [&b"\x7fELF\x02\x01\x01"[..], &[0; 11], &[62, 0]].concat(),
            )
            .unwrap();
            folder.canonicalize().unwrap()
        };
        let debian = keep("x86_64");
        fs::create_dir(debian.join("modules")).unwrap();
        let modules = Some(cache.path(Folder::Kernels, "x86_64/modules"));
        assert_eq!(found().unwrap(), Kernel { image: debian.join("vmlinux"), modules });
        let own = keep("own/x86_64");
        assert_eq!(found().unwrap(), Kernel { image: own.join("vmlinux"), modules: None });
    }
}
