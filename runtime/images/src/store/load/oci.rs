//! Images of an OCI archive: their blobs are taken as they are.

use std::collections::BTreeMap;

use oci_spec::image::Descriptor;

use super::{Loaded, Received, check_count};
use crate::image::files::Files;
use crate::image::oci::{blob_name, digest_of, flatten_all, index, names, read};
use crate::store::{Name, Session, StoreError, index as entries};
use host::platform::Platform;

/// Put the blobs of all images into the store.
pub fn receive(
    session: &Session,
    files: &Files,
    platform: Platform,
) -> Result<Vec<Received>, StoreError> {
    let index = index(files)?;
    check_count(files, "index.json", index.manifests().len())?;
    let mut images: BTreeMap<String, (Descriptor, Vec<Name>)> = BTreeMap::new();
    for entry in index.manifests() {
        let Some(manifest) = choose(files, entry, platform)? else { continue };
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

/// A manifest is taken for whatever platform it is; of an index, the one for this platform.
fn choose(
    files: &Files,
    entry: &Descriptor,
    platform: Platform,
) -> Result<Option<Descriptor>, StoreError> {
    let mut manifests = flatten_all(files, [entry])?;
    if manifests.first().is_some_and(|manifest| manifest.digest() != entry.digest()) {
        manifests.retain(|manifest| {
            let told = manifest.platform().as_ref();
            told.is_some_and(|told| platform.runs(told.os(), told.architecture()))
        });
    }
    Ok(manifests.into_iter().next())
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
    let id = digest_of(files, config)?;
    let origin = files.image().display().to_string();
    for blob in contents.manifest.layers().iter().chain([config, descriptor]) {
        let digest = digest_of(files, blob)?;
        session.put_blob(files.open(&blob_name(digest))?, (digest, blob.size()), &origin)?;
    }
    let manifest = entries::named(descriptor, None);
    Ok(Received { loaded: Loaded { names, id }, manifest })
}
