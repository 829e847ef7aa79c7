//! Guests of a few bytes: kernels made by hand, so that a test shows all that its guest does.

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "aarch64")]
pub use aarch64::{Code, PRINTED_TWO, SCRATCH, unbootable};
#[cfg(target_arch = "x86_64")]
pub use x86_64::{Code, PRINTED_TWO, SCRATCH, unbootable};
