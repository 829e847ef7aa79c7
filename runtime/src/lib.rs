//! Images, containers and the bulkhead command.
//!
//! An image goes through this crate like this:
//!
//! ```text
//! IMAGE ──image──▶ layers ──layer──▶ blob + index, once each, in the cache
//!                                        │
//!                 tree: indexes laid over each other
//!                                        │
//!                 erofs: metadata part ──▶ disk: [metadata][blob][blob]…
//! ```
//!
//! With a kernel and an initramfs ([`guest`]) and the process to run ([`command`]) the disk makes a [`bundle`], and [`vm`]
//! runs it.

pub mod agent;
pub mod bundle;
pub mod cache;
pub mod child;
pub mod command;
pub mod container;
pub mod digest;
pub mod disk;
pub mod erofs;
mod file;
pub mod guest;
mod home;
pub mod image;
pub mod kvm;
pub mod layer;
pub mod limits;
pub mod platform;
pub mod program;
pub mod registry;
pub mod signal;
mod stamp;
pub mod store;
pub mod supervisor;
pub mod tar;
pub mod terminal;
pub mod time;
pub mod tree;
pub mod vm;
