//! Linux kernels: our own, which guests boot, and Debian's, which emulated hosts boot and which guests can boot too.
//!
//! Both are Debian's Linux 6.12. Ours is built on this machine, from the source package and the options in `boot/kernel/`
//! ([`own`]); it has no modules. Debian's is a package too ([`debian`]), made for every machine there is: a guest with it
//! takes several times as long to start. `bulkhead` finds either in the cache, ours first.

pub mod cli;
mod debian;
mod own;

use std::path::PathBuf;

use clap::ValueEnum;

use crate::arch::Arch;
use crate::error::Error;
use crate::progress::say;

pub use debian::Kernel as Debian;

/// Which kernel guests boot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Choice {
    /// Our own, built when there is none yet
    #[default]
    Own,
    /// Debian's cloud kernel
    Debian,
}

impl Choice {
    /// Its uncompressed image; built or downloaded first when need be.
    pub fn provide(self, arch: Arch) -> Result<PathBuf, Error> {
        match self {
            Choice::Own => own::provide(arch),
            Choice::Debian => Ok(Debian::provide(arch)?.image()),
        }
    }
}

/// Makes sure that `bulkhead` finds a kernel in the cache, without the minutes that building one takes.
pub fn provide_quickly(arch: Arch) -> Result<(), Error> {
    if own::cached(arch)?.is_none() {
        Debian::provide(arch)?;
        let name = arch.name();
        say(&format!(
            "xtask: the guest boots Debian's kernel; `cargo xtask kernel --arch {name}` builds one that starts much faster"
        ));
    }
    Ok(())
}

/// Our own kernel of an earlier run, if there is one.
pub fn own_cached(arch: Arch) -> Result<Option<PathBuf>, Error> {
    own::cached(arch)
}

/// What an uncompressed kernel is called: an ELF file on x86_64, an Image on aarch64.
fn image_name(arch: Arch) -> &'static str {
    match arch {
        Arch::X86_64 => "vmlinux",
        Arch::Aarch64 => "Image",
    }
}
