//! From an archive into the store: what `docker save`, `podman save` and `skopeo` write.

mod docker;
mod oci;

use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

use oci_spec::image::Descriptor;

use super::error::failed;
use super::{ImageStore, InUse, Name, Session, StoreError};
use crate::image::files::Files;
use crate::image::look::{archive_files, is_layout};
use crate::layer::Limits;
use crate::limits;
use host::cache::Cache;
use host::digest::Digest;
use host::platform::Platform;

/// An image that was loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// Its names in the archive.
    pub names: Vec<Name>,
    /// The digest of its configuration.
    pub id: Digest,
}

/// An image whose blobs are in the store, and which the index is to name.
struct Received {
    loaded: Loaded,
    manifest: Descriptor,
}

/// Load every image of an archive, or none of them. Of an image for several platforms, the one for `platform` is taken.
/// `path` is for messages. Of one that failed nothing stays, but what the manifests `in_use` need.
pub fn load(
    store: &ImageStore,
    cache: &Cache,
    path: &Path,
    archive: &mut File,
    platform: Platform,
    limits: Limits,
    in_use: InUse,
) -> Result<Vec<Loaded>, StoreError> {
    let session = store.session()?;
    let seekable = seekable(store, path, archive, limits)?;
    let files = archive_files(cache, path, seekable, limits)?;
    let files = files.ok_or_else(|| StoreError::NotAnArchive { path: path.to_owned() })?;
    let received = if is_layout(&files) {
        oci::receive(&session, &files, platform)
    } else {
        docker::receive(&session, &files, limits)
    };
    let added = received.and_then(|images| add(&session, images));
    drop(session);
    if added.is_err() {
        store.tidy(in_use)?;
    }
    added
}

fn check_count(files: &Files, file: &str, count: usize) -> Result<(), StoreError> {
    if count > limits::LOADED_IMAGES {
        let reason = format!("it lists {count} images; the limit is {}", limits::LOADED_IMAGES);
        return Err(files.invalid(file, reason).into());
    }
    Ok(())
}

fn add(session: &Session, images: Vec<Received>) -> Result<Vec<Loaded>, StoreError> {
    let mut entries = Vec::new();
    for Received { loaded, manifest } in &images {
        if loaded.names.is_empty() {
            entries.push((manifest.clone(), None));
        }
        entries.extend(loaded.names.iter().map(|name| (manifest.clone(), Some(name.clone()))));
    }
    session.add(&entries)?;
    Ok(images.into_iter().map(|image| image.loaded).collect())
}

/// The archive itself, or a copy of what a pipe gives: its members are read out of order.
fn seekable(
    store: &ImageStore,
    path: &Path,
    archive: &mut File,
    limits: Limits,
) -> Result<File, StoreError> {
    let unread = |source| StoreError::ReadArchive { path: path.to_owned(), source };
    let metadata = archive.metadata().map_err(unread)?;
    if metadata.is_dir() {
        return Err(unread(std::io::ErrorKind::IsADirectory.into()));
    }
    if metadata.is_file() {
        return archive.try_clone().map_err(unread);
    }
    let ingest = store.ingest();
    let mut copy = tempfile::tempfile_in(&ingest).map_err(failed("write", &ingest))?;
    let mut input = archive.take(limits.size.saturating_add(1));
    if std::io::copy(&mut input, &mut copy).map_err(unread)? > limits.size {
        let (path, limit) = (path.to_owned(), limits.size);
        return Err(crate::image::ImageError::ArchiveTooLarge { path, limit }.into());
    }
    copy.rewind().map_err(unread)?;
    Ok(copy)
}
