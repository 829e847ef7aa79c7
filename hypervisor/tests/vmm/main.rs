//! The real `bulkhead-vmm` on the real `/dev/kvm`, with guests of a few bytes.

mod ends;
mod guest;
mod memory;
mod process;
mod refused;
#[cfg(feature = "traitor")]
mod traitor;
