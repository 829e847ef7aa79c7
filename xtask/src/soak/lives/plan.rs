//! What is to be lived, and what came of it: both cross between two processes as JSON.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::life::Guest;

/// What to do. Paths are the same inside the emulated host.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// `bulkhead`, `bulkhead-vmm` and `guest-init`.
    pub programs: Vec<PathBuf>,
    /// The guests' kernel.
    pub kernel: PathBuf,
    /// An archive of the demo image.
    pub image: PathBuf,
    /// What that kernel is.
    pub guest: Guest,
    /// The seed of the first life; each that follows has the next one.
    pub seed: u64,
    /// How many.
    pub lives: u32,
    /// Nothing else is done on the machine: whatever is left is theirs.
    pub alone: bool,
}

/// What came of lives that were led beside each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The seed of the first.
    pub seed: u64,
    /// How many.
    pub lives: u32,
    /// What went wrong, and what was left.
    pub faults: Vec<String>,
    /// Folders of VMs were left for the next run to remove, as they are when nobody is left to do so.
    pub swept: bool,
}
