//! What can be wrong with an image.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::erofs::ErofsError;
use crate::layer::{IndexError, LayerError};
use crate::tar::TarError;
use crate::tree::TreeError;
use host::cache::CacheError;
use host::digest::Mismatch;
use host::platform::Platform;

/// Why an image cannot be used.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum ImageError {
    #[error("image {path}: cannot open it")]
    Open { path: PathBuf, source: io::Error },
    #[error(
        "{path} is not an image: it starts with \"{start}\"; give an OCI layout or archive, a docker archive, or a \
         root file system directory or tar"
    )]
    NotAnImage { path: PathBuf, start: String },
    #[error(
        "{path} is empty: give an OCI layout or archive, a docker archive, or a root file system directory or tar"
    )]
    Empty { path: PathBuf },
    #[error("image {path} is neither a file nor a directory")]
    NotAFile { path: PathBuf },
    #[error("{path} is a root file system, which has no names to choose from: leave out '#{name}'")]
    NoNames { path: PathBuf, name: String },
    #[error("image archive {path}")]
    Archive { path: PathBuf, source: TarError },
    #[error(
        "image archive {path}: cut short: the end of the archive is not marked after byte {offset}"
    )]
    Unfinished { path: PathBuf, offset: u64 },
    #[error(
        "image archive {path}: cut short: member '{member}' goes from byte {start} to {end}, the file ends at {len}"
    )]
    CutMember { path: PathBuf, member: String, start: u64, end: u64, len: u64 },
    #[error(
        "image archive {path}: the name of member '{member}', or of what it links to, is {len} bytes long; the limit is {limit}"
    )]
    LongMember { path: PathBuf, member: String, len: usize, limit: usize },
    #[error("image archive {path}: cannot decompress it")]
    Decompress { path: PathBuf, source: io::Error },
    #[error(
        "image archive {path}: unpacks to more than {limit} bytes; set BULKHEAD_MAX_LAYER_SIZE to allow more"
    )]
    ArchiveTooLarge { path: PathBuf, limit: u64 },
    #[error("image {image}: '{file}' is missing")]
    Missing { image: PathBuf, file: String },
    #[error("image {image}: cannot read '{file}'")]
    Read { image: PathBuf, file: String, source: io::Error },
    #[error("image {image}: '{file}' is {len} bytes long; the limit for it is {limit}")]
    DocumentTooLarge { image: PathBuf, file: String, len: u64, limit: u64 },
    #[error("image {image}: '{file}' is not what it should be")]
    Mismatch { image: PathBuf, file: String, source: Mismatch },
    #[error("image {image}: cannot understand '{file}'")]
    Json { image: PathBuf, file: String, source: serde_json::Error },
    #[error("image {image}: '{file}': {reason}")]
    Invalid { image: PathBuf, file: String, reason: String },
    #[error("image {image}: nothing is called '{name}'; it holds {held}")]
    NoSuchName { image: PathBuf, name: String, held: String },
    #[error("image {image} holds several images: choose one with {image}#NAME; it holds {held}")]
    Ambiguous { image: PathBuf, held: String },
    #[error("image {image} is for {found}, this VM runs {wanted}: give an image for that platform")]
    Platform { image: PathBuf, found: String, wanted: Platform },
    #[error("image {image}: layer {layer}")]
    Layer { image: String, layer: String, source: Box<LayerError> },
    #[error("image {image}: layer {layer}: cannot read it")]
    LayerRead { image: String, layer: String, source: io::Error },
    #[error("image {image}: layer {layer}")]
    LayerMismatch { image: String, layer: String, source: Mismatch },
    #[error("image {image}: layer {layer} does not fit onto the ones below it")]
    Merge { image: String, layer: String, source: TreeError },
    #[error("image {image}: too large for one file system")]
    Erofs { image: String, source: ErofsError },
    #[error("the cache's index {path} is damaged: remove it")]
    Index { path: PathBuf, source: IndexError },
    #[error(transparent)]
    Cache(#[from] CacheError),
}
