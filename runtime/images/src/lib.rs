//! Container images: from archives, registries and the image store to one read-only disk.
//!
//! ```text
//! registry, archive ──▶ store: images with names
//!                         │
//! IMAGE ──image──▶ layers ──layer──▶ blob + index, once each, in the cache
//!                                        │
//!                 tree: indexes laid over each other
//!                                        │
//!                 erofs: metadata part ──▶ disk: [metadata][blob][blob]…
//! ```
//!
//! | module | what it knows |
//! |---|---|
//! | [`image`] | what a person names: archives, layouts and folders, as layers and a configuration |
//! | [`layer`] | one layer: from a tar stream or a folder to a blob and an index |
//! | [`tar`] | reading tar streams |
//! | [`tree`] | a file system tree in memory, and trees laid over each other |
//! | `copy` | copying where reading and writing are different people's fault |
//! | [`holes`] | writing a file with holes where its data is zeros |
//! | [`limits`] | what an image may cost this machine |
//! | [`erofs`] | writing EROFS, Linux's read-only file system |
//! | [`store`] | images with names, kept until somebody removes them |
//! | [`registry`] | pulling images; what is asynchronous, and TLS, is in here alone |

mod copy;
pub mod erofs;
pub mod holes;
pub mod image;
pub mod layer;
pub mod limits;
pub mod registry;
pub mod store;
pub mod tar;
pub mod tree;
