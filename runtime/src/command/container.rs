//! The image and the flags of a container. `cargo xtask run` takes the same.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::size::{parse_memory, parse_scratch};

/// What to run, in what machine.
#[derive(Clone, Debug, Args)]
pub struct Container {
    /// The image
    #[arg(value_name = "IMAGE")]
    pub image: Option<OsString>,
    /// Number of virtual CPUs, 1 to 32
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..=32))]
    pub cpus: u32,
    /// Guest memory, 64M or more
    #[arg(long, short, value_name = "SIZE", default_value = "256M", value_parser = parse_memory)]
    pub memory: u64,
    /// Size of a disk for what the container writes; without it, that is memory
    #[arg(long, value_name = "SIZE", value_parser = parse_scratch)]
    pub scratch: Option<u64>,
    /// Set an environment variable; NAME alone takes this process's value
    #[arg(long, short, value_name = "NAME[=VALUE]")]
    pub env: Vec<OsString>,
    /// Working directory inside the container
    #[arg(long, short, value_name = "PATH")]
    pub workdir: Option<OsString>,
    /// User and group inside the container, names or numbers
    #[arg(long, short, value_name = "USER[:GROUP]")]
    pub user: Option<OsString>,
    /// Host name inside the container
    #[arg(long, value_name = "NAME", default_value = "bulkhead")]
    pub hostname: OsString,
    /// Refuse writes to the root file system
    #[arg(long)]
    pub read_only: bool,
    /// Show the guest kernel's console on stderr
    #[arg(long)]
    pub console: bool,
    /// Guest kernel: vmlinux or bzImage for x86_64, Image (also packed as gzip or EFI zboot) for aarch64
    #[arg(long, value_name = "PATH")]
    pub kernel: Option<PathBuf>,
    /// Folder of the kernel's modules, NN-name.ko in load order
    #[arg(long, value_name = "DIR")]
    pub modules: Option<PathBuf>,
    /// A whole initramfs instead of guest-init and modules
    #[arg(long, value_name = "PATH", conflicts_with = "modules")]
    pub initramfs: Option<PathBuf>,
}
