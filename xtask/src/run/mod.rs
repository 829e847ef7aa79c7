//! `cargo xtask run`: builds everything, fetches what is missing, and runs one container or the bare guest.

pub mod bare;
mod container;
mod demo;
mod size;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::build::Binaries;
use crate::error::Error;
use crate::kvm::Kvm;

const EXAMPLES: &str = "\
Examples:
  cargo xtask run                                         the demo image
  cargo xtask run app.tar -- sh -c 'cat; exit 7' <input   an archive, with another command
  cargo xtask run images.tar#app:1.2 --cpus 2 -m 512M     one of several images
  cargo xtask run --guest bare                            our own kernel's self-test

IMAGE is an OCI layout folder, an OCI or docker archive, or a root file system (folder or tar).";

/// Run a container, or the bare guest, in a microVM of its own
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct RunArgs {
    /// The image; a demo when none is given
    image: Option<OsString>,
    /// Processors
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=32))]
    cpus: Option<u32>,
    /// Memory, as 512M or 2G [default: 256M]
    #[arg(long, short, value_name = "SIZE", value_parser = size::parse)]
    memory: Option<size::Mebibytes>,
    /// Another guest kernel
    #[arg(long, value_name = "PATH")]
    kernel: Option<PathBuf>,
    /// Set an environment variable (may be repeated)
    #[arg(long, short, value_name = "KEY=VALUE")]
    env: Vec<OsString>,
    /// The working directory
    #[arg(long, short, value_name = "DIR")]
    workdir: Option<OsString>,
    /// The user, as NAME, UID, NAME:GROUP or UID:GID
    #[arg(long, short, value_name = "USER")]
    user: Option<OsString>,
    /// The host name
    #[arg(long, value_name = "NAME")]
    hostname: Option<OsString>,
    /// Keep the root file system as it is
    #[arg(long)]
    read_only: bool,
    /// Show the guest kernel's log on stderr
    #[arg(long)]
    console: bool,
    /// Where to run: this machine's KVM or the emulated host
    #[arg(long, value_enum, default_value_t)]
    accel: Accel,
    /// What to run
    #[arg(long, value_enum, default_value_t)]
    guest: Guest,
    /// The command to run instead of the image's
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
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
        match self.guest {
            Guest::Linux => container::run(&self),
            Guest::Bare if self.image.is_some() || !self.command.is_empty() => Err(Error::Usage(
                "--guest bare takes no image and no command: its kernel is all there is".into(),
            )),
            Guest::Bare => bare::run(self.accel),
        }
    }
}

/// Decides where to run, and why, in a line for stderr. `capable` tells whether such a KVM will do.
pub fn choose(
    accel: Accel,
    binaries: &Binaries,
    capable: fn(&Kvm) -> bool,
) -> Result<(Way, String), Error> {
    if accel == Accel::Emulated {
        let line = "xtask: running in the emulated host, as asked (--accel emulated)";
        return Ok((Way::Emulated, line.into()));
    }
    let kvm = Kvm::probe(&binaries.vmm)?;
    let why = kvm.obstacle().unwrap_or_default();
    let limits = if why.is_empty() { "" } else { ", which can't run Linux: " };
    match accel {
        _ if capable(&kvm) => {
            Ok((Way::Direct, format!("xtask: running on this machine's KVM{limits}{why}")))
        }
        Accel::Kvm => Err(Error::Missing(format!(
            "--accel kvm: this machine's KVM can't run this guest: {why}"
        ))),
        _ => Ok((
            Way::Emulated,
            format!(
                "xtask: running in the emulated host instead of this machine's KVM{limits}{why}"
            ),
        )),
    }
}
