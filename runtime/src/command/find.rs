//! Which image a person means: a file, or one in the store.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::error::CommandError;
use crate::cache::Cache;
use crate::digest::Digest;
use crate::image::oci::open_manifest;
use crate::image::{self, Image, Reference};
use crate::layer::Limits;
use crate::platform::Platform;
use crate::store::{ImageStore, Session, StoreError};

/// Find and understand the image. One in the store, whose manifest this is, stays there as long as the session lives.
pub fn find(
    cache: &Cache,
    text: &OsStr,
    platform: Platform,
    limits: Limits,
) -> Result<(Image, Option<(Session, Digest)>), CommandError> {
    if is_path(text) {
        let image = image::open(cache, &Reference::parse(text), platform, limits)?;
        return Ok((image, None));
    }
    let text = text.to_string_lossy();
    let store = ImageStore::open_default()?;
    let session = store.session()?;
    let stored = store.resolve(&text).map_err(|error| match error {
        StoreError::NotFound(_) | StoreError::Name { .. } => {
            CommandError::NoImage(text.escape_debug().to_string())
        }
        error => error.into(),
    })?;
    let image = open_manifest(&store.files(), &stored.manifest, text.into_owned(), platform)?;
    Ok((image, Some((session, stored.digest))))
}

/// Whether an image is meant as a path: it exists, names one image of a file, or can be nothing else.
fn is_path(text: &OsStr) -> bool {
    let bytes = text.as_bytes();
    let starts = |start: &str| bytes.starts_with(start.as_bytes());
    bytes.contains(&b'#')
        || starts("/")
        || starts("./")
        || starts("../")
        || matches!(bytes, b"." | b"..")
        || Path::new(text).exists()
}
