//! The VM's configuration file: Firecracker's schema, so that one file starts both, and
//! fields of our own where we add something. `CONFIG.md` beside this crate documents it.

mod egress;
mod json;
mod network;
mod read;
#[cfg(test)]
mod tests;

use std::os::fd::RawFd;
use std::path::{Path, PathBuf};

pub use json::FieldError;
pub use network::{Interface, InterfaceSource};

/// Everything that one VM is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// What to boot.
    pub boot_source: BootSource,
    /// The disks, in the order in which the guest sees them: the root disk, if any, first.
    pub drives: Vec<Drive>,
    /// Processors and memory.
    pub machine: Machine,
    /// The socket device, if wanted.
    pub vsock: Option<Vsock>,
    /// The network interfaces, in the order in which the guest sees them.
    pub network: Vec<Interface>,
    /// Whether the guest gets an entropy device.
    pub entropy: bool,
    /// Where the log goes and what it shows.
    pub logger: Logger,
}

/// What to boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootSource {
    /// The kernel: an ELF file (`vmlinux`) on x86_64, an Image on aarch64.
    pub kernel: PathBuf,
    /// The initial RAM file system.
    pub initrd: Option<PathBuf>,
    /// The kernel command line.
    pub args: String,
}

/// One disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drive {
    /// Its name in messages and, cut to 20 bytes, its serial number in the guest.
    pub id: String,
    /// Where its bytes are.
    pub source: DriveSource,
    /// Whether the kernel command line names it as the root device.
    pub root: bool,
    /// The partition to name there instead of the whole disk.
    pub partuuid: Option<String>,
    /// Whether the guest may only read it.
    pub read_only: bool,
    /// Whether a guest's flush reaches the host's storage.
    pub flush: bool,
}

/// Where a disk's bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DriveSource {
    /// One raw file or block device.
    File(PathBuf),
    /// Parts of several files, one after another (ours; read-only).
    Parts(Vec<Part>),
}

/// A stretch of a file that is a stretch of a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The file.
    pub path: PathBuf,
    /// Where the stretch begins in the file, in bytes.
    pub offset: u64,
    /// How long it is, in bytes.
    pub length: u64,
}

/// Processors and memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Number of virtual processors.
    pub vcpus: u32,
    /// Guest memory in bytes.
    pub memory: u64,
    /// What pages of the host guest memory is made of.
    pub huge_pages: HugePages,
}

/// What pages of the host guest memory is made of (Firecracker's `docs/hugepages.md`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HugePages {
    /// What the host gives to a program that does not ask: small pages, or large ones where
    /// `/sys/kernel/mm/transparent_hugepage/enabled` says `always`.
    #[default]
    None,
    /// Large pages where the host has them at hand (`MADV_HUGEPAGE`), else small ones.
    Transparent,
    /// Pages of 2 MiB of the host's reserve (hugetlbfs), and no VM without them.
    Reserved2M,
}

/// The socket device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vsock {
    /// The guest's context identifier.
    pub guest_cid: u32,
    /// The Unix socket on which the host's programs connect; `PATH_port` is where the
    /// guest's connections go.
    pub uds_path: PathBuf,
}

/// Where the log goes and what it shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logger {
    /// A file or named pipe instead of stderr.
    pub path: Option<PathBuf>,
    /// The least important level that is shown.
    pub level: log::LevelFilter,
    /// Whether each line shows its level.
    pub show_level: bool,
    /// Whether each line shows the source file and line that wrote it.
    pub show_origin: bool,
    /// Only lines of this Rust module are shown.
    pub module: Option<String>,
}

impl Default for Logger {
    fn default() -> Self {
        Logger {
            path: None,
            level: log::LevelFilter::Warn,
            show_level: true,
            show_origin: false,
            module: None,
        }
    }
}

/// Why a configuration file was refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("{}: cannot read the configuration file: {error}", file.display())]
    Read {
        /// The configuration file.
        file: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The file is not JSON.
    #[error("{}: not valid JSON: {error}", file.display())]
    Json {
        /// The configuration file.
        file: PathBuf,
        /// Where and why.
        error: serde_json::Error,
    },
    /// A field is wrong.
    #[error("{}: {error}", file.display())]
    Field {
        /// The configuration file.
        file: PathBuf,
        /// Which field, and what would be right.
        error: FieldError,
    },
}

impl Config {
    /// Reads and checks a configuration file. Nothing that it names is opened yet.
    pub fn load(file: &Path) -> Result<Config, ConfigError> {
        let text = std::fs::read(file)
            .map_err(|error| ConfigError::Read { file: file.to_owned(), error })?;
        let value = serde_json::from_slice(&text)
            .map_err(|error| ConfigError::Json { file: file.to_owned(), error })?;
        read::config(&value).map_err(|error| ConfigError::Field { file: file.to_owned(), error })
    }

    /// The descriptors that it names, of whoever starts the VM.
    pub fn descriptors(&self) -> Vec<RawFd> {
        self.network.iter().flat_map(Interface::descriptors).collect()
    }

    /// The kernel command line: `boot_args`, then `root=` when a drive is the root device.
    pub fn command_line(&self) -> String {
        let mut line = self.boot_source.args.clone();
        if let Some(root) = self.drives.iter().find(|drive| drive.root) {
            match &root.partuuid {
                Some(uuid) => line.push_str(&format!(" root=PARTUUID={uuid}")),
                None => line.push_str(" root=/dev/vda"),
            }
            line.push_str(if root.read_only { " ro" } else { " rw" });
        }
        line
    }
}
