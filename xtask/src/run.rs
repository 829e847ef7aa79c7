//! `cargo xtask run`: builds everything, fetches what is missing, and runs one container or the bare guest.

pub mod bare;
mod container;
pub mod demo;

use bulkhead::Flags;
use clap::{Args, ValueEnum};
pub use demo::DemoArgs;
use host::kvm::Kvm;

use crate::arch::Arch;
use crate::build::Binaries;
use crate::error::Error;

const EXAMPLES: &str = "\
Examples:
  cargo xtask run                                         the demo image
  cargo xtask run app.tar sh -c 'cat; exit 7' <input      an archive, with another command
  cargo xtask run --cpus 2 -m 512M images.tar#app:1.2     one of several images
  cargo xtask run --arch aarch64                          on an Arm machine, if need be an emulated one
  cargo xtask run --guest bare                            our own kernel's self-test

IMAGE is a demo when none is given; else an OCI layout folder, an OCI or docker archive, or a root file system (folder or tar).";

/// Run a container, or the bare guest, in a microVM of its own
#[derive(Args)]
#[command(after_help = EXAMPLES, disable_help_flag = true)]
pub struct RunArgs {
    /// As `bulkhead run` has it; a demo when no image is given.
    #[command(flatten)]
    flags: Flags,
    /// The machine's architecture [default: this machine's]
    #[arg(long, value_enum, value_name = "ARCH", default_value_t = Arch::NATIVE, hide_default_value = true)]
    arch: Arch,
    /// Where to run: this machine's KVM or the emulated host
    #[arg(long, value_enum, default_value_t)]
    accel: Accel,
    /// What to run
    #[arg(long, value_enum, default_value_t)]
    guest: Guest,
}

/// Where a guest runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Accel {
    /// KVM where it can do the work, otherwise the emulated host
    #[default]
    Auto,
    /// This machine's KVM or not at all
    Kvm,
    /// The emulated host
    Emulated,
}

/// What runs in the microVM.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Guest {
    /// A container on a Linux kernel
    #[default]
    Linux,
    /// Our own kernel, which tests the machine and reports
    Bare,
}

/// The way that was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// On this machine's KVM.
    Direct,
    /// In the emulated host.
    Emulated,
}

impl RunArgs {
    /// Runs it; the exit status is the entrypoint's.
    pub fn run(self) -> Result<u8, Error> {
        if self.accel == Accel::Kvm && self.arch != Arch::NATIVE {
            let (guest, native) = (self.arch.name(), Arch::NATIVE.name());
            return Err(Error::Usage(format!(
                "--accel kvm: this machine's KVM runs {native} guests, not {guest} ones"
            )));
        }
        match self.guest {
            Guest::Linux => container::run(self),
            Guest::Bare if self.flags.image().is_some() => Err(Error::Usage(
                "--guest bare takes no image and no command: its kernel is all there is".into(),
            )),
            Guest::Bare => bare::run(self.accel, self.arch),
        }
    }
}

/// Decides where to run, and why, in a line for stderr. `capable` tells whether such a KVM will do.
pub fn choose(
    accel: Accel,
    arch: Arch,
    binaries: &Binaries,
    capable: fn(&Kvm) -> bool,
) -> Result<(Way, String), Error> {
    let (guest, native) = (arch.name(), Arch::NATIVE.name());
    let emulated = |why: String| {
        Ok((Way::Emulated, format!("xtask: running in the emulated {guest} host{why}")))
    };
    if accel == Accel::Emulated {
        return emulated(", as asked (--accel emulated)".into());
    }
    if arch != Arch::NATIVE {
        return emulated(format!(": this machine's KVM runs {native} guests only"));
    }
    let kvm = Kvm::probe(&binaries.vmm)?;
    let why = kvm.obstacle().unwrap_or_default();
    let limits = if why.is_empty() { "" } else { ", which can't run Linux: " };
    match accel {
        _ if capable(&kvm) => {
            Ok((Way::Direct, format!("xtask: running on this {guest} machine's KVM{limits}{why}")))
        }
        Accel::Kvm => Err(Error::Missing(format!(
            "--accel kvm: this machine's KVM can't run this guest: {why}"
        ))),
        _ => emulated(format!(" instead of this machine's KVM{limits}{why}")),
    }
}
