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

pub mod agent;
pub mod cache;
pub mod digest;
pub mod disk;
pub mod erofs;
pub mod image;
pub mod layer;
pub mod tar;
pub mod tree;
