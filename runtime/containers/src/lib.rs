//! Containers, each in a VM of its own.

pub mod container;
pub mod conversation;
pub mod guest;
pub mod plan;
pub mod supervisor;
pub mod vm;
