//! What is to be measured, which crosses into the emulated host as JSON.

use std::path::PathBuf;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::vmm::Vmm;

/// One thing for each of the two guest kernels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByKernel<T> {
    /// For the distribution's.
    pub debian: T,
    /// For our own.
    pub own: T,
}

impl<T> ByKernel<T> {
    /// The same done for both, the distribution's first.
    pub fn map<U, E>(&self, mut each: impl FnMut(&T) -> Result<U, E>) -> Result<ByKernel<U>, E> {
        Ok(ByKernel { debian: each(&self.debian)?, own: each(&self.own)? })
    }
}

/// What to measure. Paths are the same inside the emulated host.
#[derive(Debug, Serialize, Deserialize)]
pub struct Plan {
    /// Ours first, then the peers.
    pub vmms: Vec<Vmm>,
    /// A peer of `bulkhead run` that starts processes without a VM.
    pub runc: Option<PathBuf>,
    /// The program that counts system calls.
    pub strace: PathBuf,
    /// The kernel that takes one page.
    pub one_page: PathBuf,
    /// Connects a guest without rights.
    pub passt: PathBuf,
    /// Linux. An aarch64 or x86_64 kernel file, with `modules` beside it where it has any.
    pub kernels: ByKernel<PathBuf>,
    /// An initramfs for it whose init prints a line.
    pub initramfs: PathBuf,
    /// Likewise, whose init makes use of a network.
    pub network_initramfs: PathBuf,
    /// Linux's command line, the same for every VMM: the one that `bulkhead run` gives.
    pub boot_arguments: ByKernel<String>,
    /// What a container takes, where one is measured.
    pub container: Option<Parts>,
    /// How often Linux is started by each VMM, and in each way.
    pub runs: u32,
    /// Not all of it.
    pub only: Option<Part>,
}

/// Where a container's parts are.
#[derive(Debug, Serialize, Deserialize)]
pub struct Parts {
    /// `bulkhead`, `bulkhead-vmm` and `guest-init`.
    pub programs: Vec<PathBuf>,
    /// An archive of the demo image.
    pub image: PathBuf,
    /// The same image's root file system as a tar archive.
    pub root: PathBuf,
}

/// A part of the measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub enum Part {
    /// A VMM's starts and memory, beside its peers'
    Vmm,
    /// A whole `bulkhead run`, beside the bare boot of its guest and runc
    Run,
    /// The memory of idle containers
    Idle,
    /// A guest's network
    Network,
}

impl Part {
    /// Those for which containers are run.
    const CONTAINERS: [Part; 2] = [Part::Run, Part::Idle];

    /// Whether `only` this part, or all of them, takes containers.
    pub fn takes_containers(only: Option<Part>) -> bool {
        only.is_none_or(|only| Part::CONTAINERS.contains(&only))
    }
}

impl Plan {
    /// Whether it has this part.
    pub fn has(&self, part: Part) -> bool {
        self.only.is_none_or(|only| only == part)
    }
}
