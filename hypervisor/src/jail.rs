//! What the process gives up before the guest runs.

pub mod filters;
