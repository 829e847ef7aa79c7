//! What a guest boots: a kernel, an initramfs with guest-init and modules, and a command line.

mod initramfs;
mod kernel;

use std::io;
use std::path::{Path, PathBuf};

pub use initramfs::initramfs;
pub use kernel::{Kernel, kernel};
use thiserror::Error;

use crate::cache::CacheError;

/// The kernel command line, without what depends on the flags (Linux
/// `Documentation/admin-guide/kernel-parameters.txt`):
///
/// - `console=ttyS0`: the serial port is the console; `8250.nr_uarts=1`: do not look for three more.
/// - `panic=-1`, `reboot=k`: a panic is an immediate reset, through the keyboard controller, which ends the VM.
/// - `pci=off`: there is no PCI bus to scan; devices are in the ACPI tables.
/// - `i8042.noaux i8042.nomux i8042.dumbkbd i8042.nopnp`: the keyboard controller only resets; nothing is plugged in.
/// - `tsc=reliable no_timer_check`: KVM's clocks need no calibration against a timer that is not there.
/// - `random.trust_cpu=on`: the CPU's random numbers count, so nothing waits for entropy at boot.
/// - `cryptomgr.notests`: the ciphers' self-tests repeat what the distribution has tested, for a third of the boot.
/// - `initcall_blacklist=jent_mod_init`: calibrating a source of jitter takes a tenth of the boot; the CPU and the host's
///   seed give better randomness.
/// - `nomodule` is absent on purpose: a distribution's drivers are modules.
pub const COMMAND_LINE: &str = "console=ttyS0 8250.nr_uarts=1 panic=-1 reboot=k pci=off i8042.noaux i8042.nomux \
                                i8042.dumbkbd i8042.nopnp tsc=reliable no_timer_check random.trust_cpu=on \
                                cryptomgr.notests initcall_blacklist=jent_mod_init";

/// Added where nobody reads the console: each character of it costs a VM exit.
pub const QUIET: &str = "quiet";

/// Why there is nothing to boot.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum GuestError {
    #[error(
        "no guest kernel in the cache ({path}): run `cargo xtask run` once, or give --kernel PATH"
    )]
    NoKernel { path: PathBuf },
    #[error("kernel {path}: cannot read it")]
    ReadKernel { path: PathBuf, source: io::Error },
    #[error(
        "kernel {path} is neither an ELF file (vmlinux) nor a bzImage: it starts with \"{start}\""
    )]
    NotAKernel { path: PathBuf, start: String },
    #[error("kernel {path} is {len} bytes long; the limit is {limit}")]
    KernelTooLarge { path: PathBuf, len: u64, limit: u64 },
    #[error("kernel {path}: {source}")]
    BzImage { path: PathBuf, source: boot::bzimage::BzImageError },
    #[error("{path}: cannot read it")]
    Read { path: PathBuf, source: io::Error },
    #[error("module {path}: {source}")]
    Module { path: PathBuf, source: boot::decompress::DecompressError },
    #[error("module folder {path} holds no .ko files")]
    NoModules { path: PathBuf },
    #[error("module {path}: its name is not plain text")]
    ModuleName { path: PathBuf },
    #[error(transparent)]
    Cache(#[from] CacheError),
}

fn read_failed(path: &Path) -> impl FnOnce(io::Error) -> GuestError {
    let path = path.to_owned();
    move |source| GuestError::Read { path, source }
}
