//! Images of an OCI archive: their blobs are taken as they are.

use std::collections::BTreeMap;

use oci_spec::image::Descriptor;

use super::{Loaded, Received, check_count};
use crate::image::files::Files;
use crate::image::oci::media::{is_beside, is_image, is_manifest};
use crate::image::oci::{best, blob_name, digest_of, index, manifest_of, means_index, names, read};
use crate::store::{Name, Session, StoreError, index as entries};
use host::platform::Platform;

/// Put the blobs of all images into the store: one for each name, and each one that has none.
pub fn receive(
    session: &Session,
    files: &Files,
    platform: Platform,
) -> Result<Vec<Received>, StoreError> {
    let index = index(files)?;
    check_count(files, "index.json", index.manifests().len())?;
    let entries: Vec<&Descriptor> =
        index.manifests().iter().filter(|entry| !is_beside(entry)).collect();
    let mut images: BTreeMap<String, (Descriptor, Vec<Name>)> = BTreeMap::new();
    for (position, entry) in entries.iter().enumerate() {
        let called = names(entry).next();
        let is_same = |other: &&Descriptor| called.is_some() && names(other).next() == called;
        if entries[..position].iter().any(is_same) {
            continue;
        }
        let same: Vec<&Descriptor> =
            entries[position + 1..].iter().copied().filter(|e| is_same(e)).collect();
        let Some(manifest) = choose(files, entry, &same, platform)? else { continue };
        let (_, known) =
            images.entry(manifest.digest().to_string()).or_insert_with(|| (manifest, Vec::new()));
        if let Some(name) = name(entry)
            && !known.contains(&name)
        {
            known.push(name);
        }
    }
    if images.is_empty() {
        let (path, wanted) = (files.image(), platform.to_string());
        return Err(StoreError::Platform { path, wanted });
    }
    images.into_values().map(|(manifest, names)| image(session, files, &manifest, names)).collect()
}

/// A manifest alone under its name is taken for whatever platform it is, if it is an image's; of an index, and of several
/// under one name, the one for this platform.
fn choose(
    files: &Files,
    entry: &Descriptor,
    same: &[&Descriptor],
    platform: Platform,
) -> Result<Option<Descriptor>, StoreError> {
    if same.is_empty() && is_manifest(entry.media_type()) && !means_index(files, entry) {
        let (_, manifest) = manifest_of(files, entry)?;
        return Ok(is_image(&manifest).then(|| entry.clone()));
    }
    Ok(best(files, [entry].into_iter().chain(same.iter().copied()), platform)?)
}

/// The entry's full name. A name that is only a tag says nothing about what it is a tag of.
fn name(entry: &Descriptor) -> Option<Name> {
    names(entry).filter(|name| name.contains([':', '/'])).find_map(|name| Name::parse(name).ok())
}

fn image(
    session: &Session,
    files: &Files,
    descriptor: &Descriptor,
    names: Vec<Name>,
) -> Result<Received, StoreError> {
    // Understood before anything is copied.
    let contents = read(files, descriptor)?;
    let config = contents.manifest.config();
    let id = digest_of(files, &contents.name, config)?;
    let origin = files.image().display().to_string();
    for blob in contents.manifest.layers().iter().chain([config, descriptor]) {
        let digest = digest_of(files, &contents.name, blob)?;
        session.put_blob(files.open(&blob_name(digest))?, (digest, blob.size()), &origin)?;
    }
    let manifest = entries::named(descriptor, None);
    Ok(Received { loaded: Loaded { names, id }, manifest })
}
