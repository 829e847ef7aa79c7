//! Everything that can keep a VM from starting, in one line each.

use std::io;
use std::path::{Path, PathBuf};

use arch::aarch64::fdt::FdtError;
use egress_rules::PolicyError;

use crate::config::ConfigError;
use crate::disk::DiskError;
use crate::jail::JailError;
use crate::kvm::KvmError;
use crate::machine::InterfaceError;
use crate::memory::MemoryError;
use crate::native::{InitrdError, KernelError};
use crate::vsock::ListenError;

/// Why there is no VM.
#[derive(Debug, thiserror::Error)]
pub enum VmmError {
    /// The configuration file is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// KVM does not do what is needed.
    #[error(transparent)]
    Kvm(#[from] KvmError),
    /// Guest memory could not be set up.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// A disk could not be opened.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The socket device's Unix socket could not be set up.
    #[error(transparent)]
    Vsock(#[from] ListenError),
    /// A network interface could not be opened.
    #[error(transparent)]
    Interface(#[from] InterfaceError),
    /// A network interface's filter can't do what it is told.
    #[error(transparent)]
    Egress(#[from] PolicyError),
    /// This process could not lock itself in.
    #[error(transparent)]
    Jail(#[from] JailError),
    /// The kernel is not one that can be booted.
    #[error("{}: {error}", file.display())]
    Kernel {
        /// The kernel.
        file: PathBuf,
        /// What is wrong with it.
        error: KernelError,
    },
    /// The initramfs does not fit.
    #[error("{}: {error}", file.display())]
    Initrd {
        /// The initramfs.
        file: PathBuf,
        /// Why.
        error: InitrdError,
    },
    /// The machine can't be described to the kernel.
    #[error(transparent)]
    DeviceTree(#[from] FdtError),
    /// The command line does not fit.
    #[error("boot-source.boot_args: {0}")]
    Cmdline(#[from] boot::cmdline::CmdlineError),
    /// More devices than the memory map has slots for.
    #[error(
        "{wanted} virtio devices (drives, network interfaces, vsock and entropy): expected at most {most}"
    )]
    TooManyDevices {
        /// As the configuration file has it.
        wanted: usize,
        /// As the memory map has it.
        most: usize,
    },
    /// A file could not be opened or read.
    #[error("{}: {error}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The operating system refused something that it hardly ever refuses.
    #[error("{what}: {error}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        error: io::Error,
    },
}

impl VmmError {
    /// For `map_err`: names the file.
    pub fn file(file: &Path) -> impl FnOnce(io::Error) -> VmmError {
        let file = file.to_owned();
        move |error| VmmError::File { file, error }
    }

    /// For `map_err`: names what was tried.
    pub fn system<E: Into<io::Error>>(what: &'static str) -> impl FnOnce(E) -> VmmError {
        move |error| VmmError::System { what, error: error.into() }
    }

    /// The process's exit status: 2 for what the person who started it has written wrong.
    pub fn exit_status(&self) -> u8 {
        match self {
            VmmError::Config(_)
            | VmmError::Cmdline(_)
            | VmmError::TooManyDevices { .. }
            | VmmError::Kvm(KvmError::Memory(_) | KvmError::Vcpus { .. }) => 2,
            _ => 1,
        }
    }
}
