//! The container's half of a plan: what runs in the VM.

use protocol::{Process, Setting};

use crate::network::NetworkPlan;

/// The container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerPlan {
    /// What it finds.
    pub setting: Setting,
    /// Its first process.
    pub process: Process,
    /// What connects it with others.
    pub network: NetworkPlan,
}
