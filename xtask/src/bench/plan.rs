//! What is to be measured, and what was: both cross into the emulated host and back as JSON.

use std::path::PathBuf;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::idle::Idle;
use super::run::Times;
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
    /// Linux. An aarch64 or x86_64 kernel file, with `modules` beside it where it has any.
    pub kernels: ByKernel<PathBuf>,
    /// An initramfs for it whose init prints a line.
    pub initramfs: PathBuf,
    /// Linux's command line, the same for every VMM: the one that `bulkhead run` gives.
    pub boot_arguments: ByKernel<String>,
    /// What a container takes.
    pub container: Parts,
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
}

impl Plan {
    /// Whether it has this part.
    pub fn has(&self, part: Part) -> bool {
        self.only.is_none_or(|only| only == part)
    }
}

/// What was measured.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Measured {
    /// Of the plan's VMMs, in their order.
    pub vmms: Vec<Figures>,
    /// Of containers.
    pub run: Times,
    /// Of idle containers, of each one.
    pub idle: Vec<Idle>,
}

/// What was measured of one VMM.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Figures {
    /// Start to first byte of the one-page guest, in nanoseconds, of each run.
    pub one_page: Vec<u64>,
    /// Start to the line of a Linux guest's init, likewise.
    pub linux: ByKernel<Vec<u64>>,
    /// Resident memory outside guest RAM while our kernel's guest is idle, in KiB, of each run.
    pub resident: Vec<u64>,
    /// All of its resident memory at that time, likewise.
    pub resident_with_guest: Vec<u64>,
    /// System calls until the guest runs.
    pub system_calls: u64,
    /// What the VMM said at the end of the last guest with our kernel.
    pub messages: String,
}
