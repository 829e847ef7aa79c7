//! What was measured, which crosses back from the emulated host as JSON.

use serde::{Deserialize, Serialize};

use super::idle::Idle;
use super::network::Costs;
use super::plan::ByKernel;
use super::run::Times;

/// What was measured.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Measured {
    /// Of the plan's VMMs, in their order.
    pub vmms: Vec<Figures>,
    /// Of containers.
    pub run: Times,
    /// Of idle containers, of each one.
    pub idle: Vec<Idle>,
    /// Of networks of guests.
    pub network: Costs,
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
