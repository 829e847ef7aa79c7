//! Writing EROFS, Linux's read-only file system, with the file data elsewhere.
//!
//! Linux `fs/erofs/erofs_fs.h` and `Documentation/filesystems/erofs.rst` describe the format. What is written here
//! is the plain core of it:
//!
//! ```text
//! block 0   superblock at byte 1024
//! block 1…  inodes, 64 bytes each, followed by their extended attributes and, where it fits, the data of
//!           small directories and symbolic links ("tail packing")
//! …         the data of the other directories and symbolic links, in whole blocks
//! …         behind the metadata part: the layers' blobs, one after the other
//! ```
//!
//! An inode is named by its place: `nid` is its byte offset divided by 32. A file is flat: one block number
//! says where its data starts. So the metadata part can point into blobs that stand behind it on the same disk,
//! and the disk can be stitched together from files without copying any of them.

mod directory;
mod format;
mod layout;
mod write;
mod xattr;

use thiserror::Error;
pub use write::metadata;
pub(crate) use xattr::prefix as xattr_prefix;

/// The block size, and the alignment of everything that is not inline.
pub const BLOCK: u64 = 4096;

/// Why a tree does not fit into the format.
#[derive(Debug, Error, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum ErofsError {
    #[error("the image is {0} blocks long; EROFS counts them in 32 bits")]
    TooLarge(u64),
    #[error("a file refers to layer {0}, which the image does not have")]
    NoSuchLayer(u32),
    #[error("a file's data is outside of its layer's blob")]
    OutsideBlob,
    #[error("a layer leaves a whiteout behind")]
    Whiteout,
}
