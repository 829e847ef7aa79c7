//! What both images and containers need of the machine they are on. It knows neither.
//!
//! | module | what it knows |
//! |---|---|
//! | [`home`] | where a user's files are |
//! | [`cache`] | files that can be made again, named by what they hold |
//! | [`file`](mod@file) | changes to files that we keep, whole or not at all |
//! | [`digest`] | SHA-256, of what is there and of what flows through |
//! | [`stamp`] | telling one state of a file from another without reading it |
//! | [`disk`] | a disk of parts of files, which images make and VMs get |
//! | [`platform`] | what a guest runs: Linux, on x86_64 or aarch64 |
//! | [`program`] | where our other programs are |
//! | [`child`] | child processes that don't outlive this one |
//! | [`poll`], [`pump`] | waiting for file descriptors, and bytes from one to whoever takes them |
//! | [`kvm`], [`jail`] | what this machine's KVM can run, and what it has for a VM's jail |
//! | [`terminal`] | this process's own terminal |
//! | [`signal`], [`time`], [`text`] | signals, points in time and names, as people write and read them |

pub mod cache;
pub mod child;
pub mod digest;
pub mod disk;
pub mod file;
pub mod home;
pub mod jail;
pub mod kvm;
pub mod platform;
pub mod poll;
pub mod program;
pub mod pump;
pub mod signal;
pub mod stamp;
pub mod terminal;
pub mod text;
pub mod time;
