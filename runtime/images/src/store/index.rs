//! `index.json`: which images there are, and what they are called.

use std::collections::HashMap;

use oci_spec::image::{Descriptor, ImageIndex};

use super::{ImageStore, Name, StoreError};
use crate::image::oci::{FULL_NAME, REF_NAME};

impl ImageStore {
    /// The entries as they are now.
    pub(super) fn entries(&self) -> Result<Vec<Descriptor>, StoreError> {
        let index: ImageIndex = self.files().document("index.json", None)?;
        Ok(index.manifests().clone())
    }

    /// Change the entries; nobody else does meanwhile.
    pub(super) fn update<T>(
        &self,
        change: impl FnOnce(&mut Vec<Descriptor>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let _lock = self.lock_index()?;
        let mut index: ImageIndex = self.files().document("index.json", None)?;
        let mut entries = index.manifests().clone();
        let result = change(&mut entries)?;
        if entries != *index.manifests() {
            index.set_manifests(entries);
            self.write(&self.root.join("index.json"), &document(&index))?;
        }
        Ok(result)
    }

    /// Give the image that `text` means another name.
    pub fn tag(&self, text: &str, name: &Name) -> Result<(), StoreError> {
        self.update(|entries| {
            let image = self.find(entries, text)?;
            set_name(entries, &image.manifest, Some(name));
            Ok(())
        })
    }
}

/// The image's entry under that name; an image that had it stays, without a name if it has no other.
pub(super) fn set_name(entries: &mut Vec<Descriptor>, manifest: &Descriptor, name: Option<&Name>) {
    let same = |entry: &Descriptor| entry.digest() == manifest.digest();
    let Some(name) = name else {
        if !entries.iter().any(same) {
            entries.push(named(manifest, None));
        }
        return;
    };
    let had = entries.iter().position(|entry| name_of(entry).as_ref() == Some(name));
    if let Some(before) = had.map(|at| entries.remove(at)) {
        set_name(entries, &before, None);
    }
    entries.retain(|entry| !same(entry) || name_of(entry).is_some());
    entries.push(named(manifest, Some(name)));
}

/// The entry's name; another tool's entry may have none that we understand.
pub(super) fn name_of(entry: &Descriptor) -> Option<Name> {
    Name::parse(entry.annotations().as_ref()?.get(FULL_NAME)?).ok()
}

/// An entry for a manifest under a name.
pub(super) fn named(manifest: &Descriptor, name: Option<&Name>) -> Descriptor {
    let mut entry = manifest.clone();
    entry.set_annotations(name.map(|name| {
        let mut annotations = HashMap::from([(FULL_NAME.to_owned(), name.to_string())]);
        if let Some(tag) = name.tag() {
            annotations.insert(REF_NAME.to_owned(), tag.to_owned());
        }
        annotations
    }));
    entry
}

/// The JSON text of something that always has one.
pub(super) fn document(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("an image's documents have only text as keys")
}
