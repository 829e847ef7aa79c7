//! Images: what a person names on the command line, read as layers and a configuration.
//!
//! Five forms are told apart by what is in them, never by a file name: an OCI layout directory, an OCI archive
//! (a tar of such a layout), a docker archive (`docker save`), a plain root file system directory, and a root file
//! system tar. The last four may be compressed as a whole where they are tars.

mod archive;
pub(crate) mod compression;
mod config;
mod configuration;
pub(crate) mod docker;
pub(crate) mod documents;
mod error;
pub(crate) mod files;
mod held;
pub(crate) mod json;
pub(crate) mod look;
pub(crate) mod oci;
pub(crate) mod platform;
mod reference;
#[cfg(test)]
mod tests;
mod unpack;

use std::io::{self, Read};
use std::path::PathBuf;

pub use config::ImageConfig;
pub use error::ImageError;
pub use look::open;
pub use reference::Reference;
pub use unpack::unpack;

use compression::Decompressor;
use files::Files;
use host::digest::Digest;

/// The data of `input`, which may be compressed with gzip, zstd, xz or bzip2, as docker tells and takes them.
///
/// # Errors
/// It can't be read.
pub fn decompress(mut input: impl Read) -> io::Result<impl Read> {
    // All that tells them at once: a pipe may give less.
    let mut start = Vec::new();
    input.by_ref().take(compression::START as u64).read_to_end(&mut start)?;
    Decompressor::new(io::Cursor::new(start).chain(input))
}

/// An image that was found and understood; its layers are not read yet.
#[derive(Debug)]
pub struct Image {
    /// As the person named it, for messages.
    pub name: String,
    /// What the image says about the process to run.
    pub config: ImageConfig,
    /// From the lowest to the highest.
    pub layers: Vec<LayerSource>,
}

/// A layer, and where to get it when the cache does not have it.
#[derive(Debug)]
pub struct LayerSource {
    /// For messages.
    pub(crate) name: String,
    /// What the layer's blob and index are called in the cache.
    key: String,
    pub(crate) data: LayerData,
}

#[derive(Debug)]
pub(crate) enum LayerData {
    /// A tar, perhaps compressed, in an image.
    Packed {
        files: Files,
        path: String,
        /// Digest and length of the stored bytes, where the image promises them.
        stored: Option<(Digest, u64)>,
        /// The digest of the uncompressed tar.
        diff_id: Digest,
    },
    /// A root file system tar, perhaps compressed; the digest is that of the file as it is.
    Tar { path: PathBuf, digest: Digest },
    /// A root file system directory.
    Directory(PathBuf),
}
