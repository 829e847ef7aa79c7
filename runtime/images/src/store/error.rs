//! What can go wrong with the image store.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::image::ImageError;
use host::cache::CacheError;
use host::digest::{Digest, Mismatch};

/// Why an image is not found, kept or removed.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum StoreError {
    #[error("no place for images: set XDG_DATA_HOME or HOME to an absolute path")]
    NoHome,
    #[error("cannot {action} {path} of the image store")]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    #[error("'{text}' is no name of an image: {reason}")]
    Name { text: String, reason: &'static str },
    #[error("no image is called '{0}' (bulkhead images lists them, bulkhead load adds some)")]
    NotFound(String),
    #[error("'{text}' is the start of several images' IDs: {held}")]
    Ambiguous { text: String, held: String },
    #[error("image {id} has several names: remove one of {names}, or all of them with --force")]
    SeveralNames { id: String, names: String },
    #[error("{origin}: blob {blob} is not what it should be")]
    Mismatch { origin: String, blob: String, source: Mismatch },
    #[error("{origin}: cannot read blob {blob}")]
    ReadBlob { origin: String, blob: String, source: io::Error },
    #[error(
        "{path} is not an image archive (docker save, or an OCI layout in a tar); bulkhead run takes a root file system \
         as it is"
    )]
    NotAnArchive { path: PathBuf },
    #[error("{path}: cannot read it")]
    ReadArchive { path: PathBuf, source: io::Error },
    #[error(
        "{path}: layer {layer}: its digest, uncompressed, is {actual}, the image says {expected}"
    )]
    DiffId { path: PathBuf, layer: String, expected: Digest, actual: Digest },
    #[error("{path} holds no image for {wanted}")]
    Platform { path: PathBuf, wanted: String },
    #[error("cannot find out which images are in use")]
    InUse(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("cannot write the archive")]
    WriteArchive(#[source] io::Error),
    #[error(transparent)]
    Image(Box<ImageError>),
    #[error(transparent)]
    Cache(#[from] CacheError),
}

impl From<ImageError> for StoreError {
    fn from(error: ImageError) -> Self {
        Self::Image(Box::new(error))
    }
}

/// An error about one of the store's own files.
pub fn failed<'a>(
    action: &'static str,
    path: &'a Path,
) -> impl FnOnce(io::Error) -> StoreError + 'a {
    move |source| StoreError::Io { action, path: path.to_owned(), source }
}
