//! Container images: from archives, registries and the image store to one read-only disk.

pub mod erofs;
pub mod image;
pub mod layer;
pub mod registry;
pub mod store;
pub mod tar;
pub mod tree;
