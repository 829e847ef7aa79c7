//! Docker archives: `manifest.json`, configurations as they are, and layers as plain tars.

use std::collections::BTreeSet;
use std::io::{Seek, Write};

use super::{Archive, Chosen, blob};
use crate::image::docker::Item;
use crate::image::look::MANIFEST;
use crate::image::oci::read;
use crate::layer::Limits;
use crate::store::error::failed;
use crate::store::index::document;
use crate::store::layer::Packed;
use crate::store::{ImageStore, Name, StoreError};

/// Write the whole archive.
pub fn write(
    store: &ImageStore,
    chosen: &[Chosen],
    limits: Limits,
    archive: &mut Archive<impl Write>,
) -> Result<(), StoreError> {
    let files = store.files();
    let mut items = Vec::new();
    let mut written = BTreeSet::new();
    for Chosen { image, names } in chosen {
        let config = format!("{}.json", image.id.hex());
        let contents = read(&files, &image.manifest)?;
        if written.insert(config.clone()) {
            let (file, size) = blob(store, image.id)?;
            archive.file(&config, size, file)?;
        }
        let mut layers = Vec::new();
        for layer in contents.layers.iter().filter_map(Packed::of) {
            let name = format!("{}.tar", layer.diff_id.hex());
            if written.insert(name.clone()) {
                let ingest = store.ingest();
                let mut tar = tempfile::tempfile_in(&ingest).map_err(failed("write", &ingest))?;
                let size = layer.decompress(limits, &mut tar)?.1;
                tar.rewind().map_err(failed("read", &ingest))?;
                archive.file(&name, size, tar)?;
            }
            layers.push(name);
        }
        let tags = names.iter().filter(|name| name.tag().is_some()).map(Name::to_string).collect();
        items.push(Item { config, repo_tags: Some(tags), layers: Some(layers) });
    }
    archive.text(MANIFEST, &document(&items))
}
