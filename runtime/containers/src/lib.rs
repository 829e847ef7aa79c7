//! Containers, each in a VM of its own.

pub mod agent;
pub mod bundle;
pub mod container;
pub mod guest;
pub mod supervisor;
pub mod vm;
