//! The real `bulkhead-vmm` on the real `/dev/kvm`, with guests of a few bytes.

mod ends;
mod guest;
mod jail;
mod memory;
mod network;
mod proc;
mod process;
mod refused;
mod running;
#[cfg(feature = "traitor")]
mod traitor;
mod user;
