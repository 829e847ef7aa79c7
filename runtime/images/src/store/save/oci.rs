//! OCI archives: the blobs as they are, under an index with only the chosen names.

use std::collections::BTreeSet;
use std::io::Write;

use oci_spec::image::ImageIndexBuilder;

use super::{Archive, Chosen, blob};
use crate::image::oci::{blob_name, digest_of};
use crate::store::index::{document, named};
use crate::store::{ImageStore, LAYOUT, StoreError};

/// Write the whole archive.
pub fn write(
    store: &ImageStore,
    chosen: &[Chosen],
    archive: &mut Archive<impl Write>,
) -> Result<(), StoreError> {
    let files = store.files();
    let mut blobs = BTreeSet::new();
    let mut entries = Vec::new();
    for Chosen { image, names } in chosen {
        let manifest = store.manifest(&image.manifest)?;
        let name = blob_name(image.digest);
        for descriptor in manifest.layers().iter().chain([manifest.config(), &image.manifest]) {
            blobs.insert(digest_of(&files, &name, descriptor)?);
        }
        if names.is_empty() {
            entries.push(named(&image.manifest, None));
        }
        entries.extend(names.iter().map(|name| named(&image.manifest, Some(name))));
    }
    let index = ImageIndexBuilder::default()
        .schema_version(2u32)
        .manifests(entries)
        .build()
        .expect("an index with manifests is complete");
    archive.text("oci-layout", LAYOUT)?;
    archive.text("index.json", &document(&index))?;
    archive.folder("blobs/")?;
    archive.folder("blobs/sha256/")?;
    for digest in blobs {
        let (file, size) = blob(store, digest)?;
        archive.file(&format!("blobs/sha256/{}", digest.hex()), size, file)?;
    }
    Ok(())
}
