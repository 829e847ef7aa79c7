//! Which image a person means: a file, one in the store, or one in a registry.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::commands::pull::PullPolicy;
use crate::error::CommandError;
use host::cache::Cache;
use host::digest::Digest;
use images::image::{self, Image, Reference};
use images::registry::{self, Options};
use images::store::{ImageStore, Name, Session, StoreError, StoredImage};

/// Find and understand the image, after pulling it where that is to be done. One in the store, whose manifest this is,
/// stays there as long as the session lives.
pub fn find(
    cache: &Cache,
    text: &OsStr,
    policy: PullPolicy,
    options: &Options,
) -> Result<(Image, Option<(Session, Digest)>), CommandError> {
    if is_path(text) {
        let reference = Reference::parse(text);
        let image = image::open(cache, &reference, options.platform, options.limits)?;
        return Ok((image, None));
    }
    let text = text.to_string_lossy().into_owned();
    let session = ImageStore::open_default()?.session()?;
    let store = session.store();
    let shown = || text.escape_debug().to_string();
    let pull = |name: &Name| -> Result<StoredImage, CommandError> {
        registry::pull(&session, name, options)
            .map_err(|error| CommandError::NotPulled { text: shown(), source: Box::new(error) })?;
        Ok(store.resolve(&text)?)
    };
    let stored = match (policy, Name::parse(&text), store.resolve(&text)) {
        (PullPolicy::Always, Ok(name), _) => pull(&name)?,
        (PullPolicy::Missing, Ok(name), Err(StoreError::NotFound(_))) => pull(&name)?,
        (_, _, Err(StoreError::NotFound(_) | StoreError::Name { .. })) => {
            return Err(CommandError::NoImage(shown()));
        }
        (_, _, stored) => stored?,
    };
    let image = store.open_image(&stored, text, options.platform)?;
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
