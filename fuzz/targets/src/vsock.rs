//! The socket device, between a guest and a host of which one keeps to the rules.

mod bench;
mod guest;
mod host;

pub use guest::guest;
pub use host::host;
