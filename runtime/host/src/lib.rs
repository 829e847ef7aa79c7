//! What both images and containers need of the machine they are on.

pub mod cache;
pub mod child;
pub mod digest;
pub mod disk;
pub mod file;
pub mod home;
pub mod kvm;
pub mod platform;
pub mod program;
pub mod signal;
pub mod stamp;
pub mod terminal;
pub mod text;
pub mod time;
