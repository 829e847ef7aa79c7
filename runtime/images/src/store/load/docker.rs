//! Images of a docker archive: each gets a manifest of its own, for its configuration as it is and its layers as they
//! are stored.

use std::collections::BTreeMap;
use std::io::{self, Read};

use oci_spec::image::{Descriptor, ImageConfiguration, ImageManifestBuilder, MediaType};

use super::{Loaded, Received, check_count};
use crate::image::compression::{Compression, Decompressor};
use crate::image::docker::{Item, items, read};
use crate::image::files::Files;
use crate::image::look::MANIFEST;
use crate::image::oci::{descriptor, with_platform};
use crate::layer::Limits;
use crate::store::index::document;
use crate::store::layer::Packed;
use crate::store::{Name, Session, StoreError};
use host::digest::Digest;

/// Put the blobs of all images into the store.
pub fn receive(
    session: &Session,
    files: &Files,
    limits: Limits,
) -> Result<Vec<Received>, StoreError> {
    let images = items(files, MANIFEST)?;
    check_count(files, MANIFEST, images.len())?;
    // All are understood before anything is copied.
    let mut understood = Vec::new();
    for item in &images {
        let names: Result<Vec<Name>, StoreError> =
            item.tags().iter().map(|tag| Name::parse(tag)).collect();
        understood.push((item, names?, read(files, item)?));
    }
    let mut received = Vec::new();
    let mut kept = Kept::new();
    for (item, names, (configuration, layers)) in understood {
        let mut blobs = Vec::new();
        for layer in layers.iter().filter_map(Packed::of) {
            blobs.push(keep(session, &layer, limits, &mut kept)?);
        }
        received.push(image(session, files, item, names, &configuration, blobs)?);
    }
    Ok(received)
}

fn image(
    session: &Session,
    files: &Files,
    item: &Item,
    names: Vec<Name>,
    configuration: &ImageConfiguration,
    blobs: Vec<Descriptor>,
) -> Result<Received, StoreError> {
    let origin = files.image().display().to_string();
    let (id, size) = session.put(files.open(&item.config)?, &origin)?;
    let config = descriptor(MediaType::ImageConfig, id, size);
    let manifest = ImageManifestBuilder::default()
        .schema_version(2u32)
        .media_type(MediaType::ImageManifest)
        .config(config)
        .layers(blobs)
        .build()
        .expect("a manifest with a configuration and layers is complete");
    let (digest, size) = session.put(&document(&manifest)[..], &origin)?;
    let manifest = with_platform(descriptor(MediaType::ImageManifest, digest, size), configuration);
    Ok(Received { loaded: Loaded { names, id }, manifest })
}

/// The layers that were put into the store, by uncompressed digest and file: images share them.
type Kept = BTreeMap<(Digest, String), Descriptor>;

/// Put a layer into the store, whose uncompressed digest is all that says that it is whole.
fn keep(
    session: &Session,
    layer: &Packed<'_>,
    limits: Limits,
    kept: &mut Kept,
) -> Result<Descriptor, StoreError> {
    let key = (layer.diff_id, layer.path.to_owned());
    if let Some(descriptor) = kept.get(&key) {
        return Ok(descriptor.clone());
    }
    let (compression, _) = layer.decompress(limits, &mut io::sink())?;
    let origin = layer.files.image().display().to_string();
    let stored = layer.files.open(layer.path)?;
    let (media_type, (digest, size)) = match compression {
        Compression::None => (MediaType::ImageLayer, session.put(stored, &origin)?),
        Compression::Gzip => (MediaType::ImageLayerGzip, session.put(stored, &origin)?),
        Compression::Zstd => (MediaType::ImageLayerZstd, session.put(stored, &origin)?),
        // No media type says so (OCI image specification, "OCI Image Media Types"): other tools could not read the store.
        Compression::Xz | Compression::Bzip2 => {
            let tar = Decompressor::new(stored).map_err(|source| layer.failed(source))?;
            let put = session.put(tar.take(limits.size), &origin)?;
            (MediaType::ImageLayer, put)
        }
    };
    let descriptor = descriptor(media_type, digest, size);
    kept.insert(key, descriptor.clone());
    Ok(descriptor)
}
