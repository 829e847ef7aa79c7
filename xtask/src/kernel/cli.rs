//! `cargo xtask kernel`: the guest kernel, built.

use clap::Args;

use super::own;
use crate::arch::Arch;
use crate::error::Error;

/// Build the kernel that guests boot, from Debian's source, and print its path
#[derive(Args)]
#[command(after_help = "\
It is the Linux of the package linux-source-6.12 with the options in boot/kernel/, without a patch. It stays in the cache, and
`bulkhead` finds it there. Some six minutes on two processors, once for each version of the source.")]
pub struct KernelArgs {
    /// The machine that it is for
    #[arg(long, value_enum, value_name = "ARCH", default_value_t = Arch::NATIVE, hide_default_value = true)]
    arch: Arch,
    /// Build it once more, in another folder, and compare the two
    #[arg(long)]
    check_reproducible: bool,
}

impl KernelArgs {
    /// Builds it unless it is there.
    pub fn run(self) -> Result<u8, Error> {
        let image = own::provide(self.arch)?;
        if self.check_reproducible {
            own::check_reproducible(self.arch, &image)?;
        }
        println!("{}", image.display());
        Ok(0)
    }
}
