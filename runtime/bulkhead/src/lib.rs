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

pub mod command;
