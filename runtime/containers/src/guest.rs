//! What a guest boots: a kernel, an initramfs with guest-init and modules, and a command line.

mod command_line;
mod initramfs;
mod kernel;
mod memory;

use std::io;
use std::path::{Path, PathBuf};

pub use command_line::command_line;
pub use initramfs::initramfs;
pub use kernel::{Kernel, kernel};
pub use memory::machine_memory;
use thiserror::Error;

use host::cache::CacheError;
use host::platform::Platform;

/// Why there is nothing to boot.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum GuestError {
    #[error(
        "no guest kernel in the cache ({path}): run `cargo xtask run --arch {architecture}` once, or give --kernel PATH"
    )]
    NoKernel { path: PathBuf, architecture: &'static str },
    #[error("kernel {path}: cannot read it")]
    ReadKernel { path: PathBuf, source: io::Error },
    #[error("kernel {path} starts with \"{start}\": {} boots {}", .platform.architecture(), bootable(*.platform))]
    NotAKernel { path: PathBuf, start: String, platform: Platform },
    #[error("kernel {path} is for {found}, this VM runs {wanted}: give a kernel for {wanted}")]
    KernelPlatform { path: PathBuf, found: &'static str, wanted: &'static str },
    #[error("kernel {path} is {len} bytes long; the limit is {limit}")]
    KernelTooLarge { path: PathBuf, len: u64, limit: u64 },
    #[error("kernel {path}")]
    BzImage { path: PathBuf, source: boot::bzimage::BzImageError },
    #[error("kernel {path}")]
    PackedImage { path: PathBuf, source: boot::arm64_image::PackedError },
    #[error("{path}: cannot read it")]
    Read { path: PathBuf, source: io::Error },
    #[error("module {path}")]
    Module { path: PathBuf, source: boot::decompress::DecompressError },
    #[error("module folder {path} holds no .ko files")]
    NoModules { path: PathBuf },
    #[error("module {path}: its name is not plain text")]
    ModuleName { path: PathBuf },
    #[error(transparent)]
    Cache(#[from] CacheError),
}

fn bootable(platform: Platform) -> &'static str {
    match platform {
        Platform::Amd64 => "a vmlinux or a bzImage",
        Platform::Arm64 => "an Image, plain or packed (gzip, EFI zboot)",
    }
}

fn read_failed(path: &Path) -> impl FnOnce(io::Error) -> GuestError {
    let path = path.to_owned();
    move |source| GuestError::Read { path, source }
}
