//! From an image to a disk: unpack the layers that the cache does not have, merge their indexes, and write the
//! file system's metadata in front of their blobs.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use super::compression::Decompressor;
use super::files::check;
use super::held::{Held, Wrong};
use super::{Image, ImageError, LayerData, LayerSource};
use crate::erofs;
use crate::holes::{Holes, Room};
use crate::layer::{
    Layer, LayerError, Limits, Meter, Walked, fingerprint, index_name, read_index,
    unpack_directory, unpack_tar, write_index,
};
use crate::tar::{Reader, Stream, TarError};
use crate::tree::Tree;
use host::cache::{Cache, Entry, Folder, Pending};
use host::digest::{Digest, DigestReader, Mismatch};
use host::disk::{Disk, Part};
use host::text::printable;

/// Changes when the same layers would give another metadata part.
const METADATA_FORMAT: &str = "erofs 1";

/// A layer that is in the cache.
struct Unpacked {
    name: String,
    key: String,
    blob: PathBuf,
    blob_len: u64,
}

/// The image as one read-only disk, all of whose parts are in the cache.
pub fn unpack(cache: &Cache, image: &Image, limits: Limits) -> Result<Disk, ImageError> {
    let mut layers = Vec::new();
    let mut meter = Meter::new(limits);
    for layer in &image.layers {
        layers.push(cached_layer(cache, image, layer, &mut meter)?);
    }
    let digest = image_digest(&layers);
    let path = match cache.entry(Folder::Images, &digest.hex())? {
        Entry::Ready(path) => path,
        Entry::Missing(mut pending) => {
            let metadata = merge(cache, image, &layers, digest, limits)?;
            pending.file.write_all(&metadata).map_err(|source| pending.failed(source))?;
            pending.commit()?
        }
    };
    let length =
        fs::metadata(&path).map_err(|source| read_failed(image, "metadata", source))?.len();
    let mut parts = vec![Part { path, offset: 0, length }];
    for layer in layers.into_iter().filter(|layer| layer.blob_len > 0) {
        parts.push(Part { path: layer.blob, offset: 0, length: layer.blob_len });
    }
    Ok(Disk { parts })
}

/// What names the metadata part: the format, and the layers in their order.
fn image_digest(layers: &[Unpacked]) -> Digest {
    let keys: Vec<&str> = layers.iter().map(|layer| layer.key.as_str()).collect();
    Digest::of(format!("{METADATA_FORMAT}\n{}", keys.join("\n")).as_bytes())
}

fn merge(
    cache: &Cache,
    image: &Image,
    layers: &[Unpacked],
    digest: Digest,
    limits: Limits,
) -> Result<Vec<u8>, ImageError> {
    let mut tree = Tree::bounded(limits.in_all().entries);
    // Counted here as well: what was unpacked before costs as much as what was not, once it is merged.
    let mut meter = Meter::new(limits);
    for (number, unpacked) in layers.iter().enumerate() {
        let layer = load(&cache.path(Folder::Indexes, &index_name(&unpacked.key)))?;
        meter.end_layer(&layer.tree, layer.blob_len).map_err(|source| ImageError::Layer {
            image: image.name.clone(),
            layer: unpacked.name.clone(),
            source: Box::new(source.into()),
        })?;
        tree.lay_over(&layer.tree, number as u32).map_err(|source| ImageError::Merge {
            image: image.name.clone(),
            layer: unpacked.name.clone(),
            source,
        })?;
    }
    let lengths: Vec<u64> = layers.iter().map(|layer| layer.blob_len).collect();
    let mut uuid = [0; 16];
    uuid.copy_from_slice(&digest.0[..16]);
    erofs::metadata(&tree, &lengths, uuid)
        .map_err(|source| ImageError::Erofs { image: image.name.clone(), source })
}

fn load(path: &Path) -> Result<Layer, ImageError> {
    let bad = |source| ImageError::Index { path: path.to_owned(), source };
    let file = File::open(path).map_err(|error| bad(error.into()))?;
    read_index(BufReader::new(file)).map_err(bad)
}

/// The layer from the cache, unpacked into it first where it is not there.
fn cached_layer(
    cache: &Cache,
    image: &Image,
    layer: &LayerSource,
    meter: &mut Meter,
) -> Result<Unpacked, ImageError> {
    let in_layer = |source| layer_failed(image, layer, source);
    let (key, walked) = match &layer.data {
        LayerData::Directory(path) => {
            let walked = Walked::new(path, meter.limits()).map_err(in_layer)?;
            (fingerprint(&walked).hex(), Some(walked))
        }
        _ => (layer.key.clone(), None),
    };
    let blob = cache.path(Folder::Blobs, &key);
    let index_name = index_name(&key);
    let entry = match cache.entry(Folder::Indexes, &index_name)? {
        // Somebody removed the blob alone.
        Entry::Ready(_) if !blob.is_file() => {
            Entry::Missing(cache.replace(Folder::Indexes, &index_name)?)
        }
        entry => entry,
    };
    let failed = |source| read_failed(image, &layer.name, source);
    let held = Held::of(cache, &layer.data)?;
    if let Entry::Missing(index) = entry {
        log::info!("unpacking layer {} of {}", printable(layer.name.as_bytes()), image.name);
        let blob = cache.replace(Folder::Blobs, &key)?;
        let out = BufWriter::with_capacity(1 << 20, Holes::new(&blob.file));
        let unpacked = match (&layer.data, &walked) {
            (_, Some(walked)) => unpack_directory(walked, out, meter).map_err(in_layer)?,
            (data, None) => unpack_packed(image, layer, data, out, meter)?,
        };
        let ended = meter.end_layer(&unpacked.tree, unpacked.blob_len);
        ended.map_err(|source| in_layer(source.into()))?;
        // The index comes last: where it is, the layer is complete.
        blob.commit()?;
        write_layer_index(index, &unpacked)?;
        if let Some(held) = held {
            held.note();
        }
    } else {
        match held.map_or(Ok(()), |held| held.check(meter.limits().size.saturating_add(1))) {
            Ok(()) => {}
            Err(Wrong::Read(source)) => return Err(failed(source)),
            Err(Wrong::Bytes(source)) => {
                let (image, layer) = (image.name.clone(), layer.name.clone());
                return Err(ImageError::LayerMismatch { image, layer, source });
            }
        }
        meter.pass_layer(fs::metadata(&blob).map_err(failed)?.len());
    }
    let blob_len = fs::metadata(&blob).map_err(failed)?.len();
    Ok(Unpacked { name: layer.name.clone(), key, blob, blob_len })
}

fn write_layer_index(pending: Pending, layer: &Layer) -> Result<(), ImageError> {
    let mut out = BufWriter::new(&pending.file);
    let written = write_index(layer, &mut out).map_err(io::Error::other).and_then(|()| out.flush());
    drop(out);
    written.map_err(|source| pending.failed(source))?;
    pending.commit()?;
    Ok(())
}

/// Unpack a tar, checking what the image promises about it while it streams by.
fn unpack_packed(
    image: &Image,
    layer: &LayerSource,
    data: &LayerData,
    out: impl Room,
    meter: &mut Meter,
) -> Result<Layer, ImageError> {
    let failed = |source| ImageError::LayerRead {
        image: image.name.clone(),
        layer: layer.name.clone(),
        source,
    };
    let mismatch = |source| ImageError::LayerMismatch {
        image: image.name.clone(),
        layer: layer.name.clone(),
        source,
    };
    match data {
        LayerData::Directory(_) => Err(failed(io::ErrorKind::IsADirectory.into())),
        LayerData::Packed { files, path, stored, diff_id } => {
            let file = files.open(path)?;
            let streamed = stream(file, out, meter).map_err(failed)?;
            // Digests first: they explain why the rest failed.
            if let Some(stored) = stored {
                check(*stored, streamed.stored).map_err(mismatch)?;
            }
            let unpacked = streamed.layer.map_err(|source| layer_failed(image, layer, source))?;
            if streamed.diff_id != *diff_id {
                let source = Mismatch::Digest { expected: *diff_id, actual: streamed.diff_id };
                return Err(mismatch(source));
            }
            Ok(unpacked)
        }
        LayerData::Tar { path, digest } => {
            let file = File::open(path).map_err(failed)?;
            let streamed = stream(file, out, meter).map_err(failed)?;
            let unpacked = streamed.layer.map_err(|source| layer_failed(image, layer, source))?;
            let (expected, actual) = (*digest, streamed.stored.0);
            if expected != actual {
                return Err(mismatch(Mismatch::Digest { expected, actual }));
            }
            // No digest in the image says that a root file system tar is whole; its own end has to.
            if !streamed.ended {
                return Err(layer_failed(image, layer, LayerError::Unfinished));
            }
            Ok(unpacked)
        }
    }
}

/// A layer that streamed by.
struct Streamed {
    layer: Result<Layer, LayerError>,
    /// Digest and length of the stored bytes.
    stored: (Digest, u64),
    /// The digest of the uncompressed tar.
    diff_id: Digest,
    /// The tar's end was marked.
    ended: bool,
}

/// stored bytes → digest → decompression → digest → tar. What follows the tar's end is part of both digests.
fn stream(input: impl Read, out: impl Room, meter: &mut Meter) -> io::Result<Streamed> {
    let tar = DigestReader::new(Decompressor::new(DigestReader::new(input))?);
    // Ten zero records behind the archive's end are usual; gigabytes of them are not.
    let limit = meter.limits().size;
    let tar = tar.take(limit.saturating_add(1));
    let mut reader = Reader::new(Stream(tar));
    let mut layer = unpack_tar(&mut reader, out, meter);
    let ended = reader.ended();
    let mut tar = reader.into_inner().0;
    if layer.is_ok() {
        if let Err(source) = io::copy(&mut tar, &mut io::sink()) {
            layer = Err(TarError::Io { offset: tar.get_ref().count(), source }.into());
        } else if tar.limit() == 0 {
            layer = Err(LayerError::TooLarge { limit });
        }
    }
    let (diff_id, _, decompressor) = tar.into_inner().into_parts();
    let mut input = decompressor.into_inner();
    // A decompressor may stop before the end of what is stored.
    io::copy(&mut input, &mut io::sink())?;
    let (digest, len) = input.into_inner().finish();
    Ok(Streamed { layer, stored: (digest, len), diff_id, ended })
}

fn layer_failed(image: &Image, layer: &LayerSource, source: LayerError) -> ImageError {
    ImageError::Layer {
        image: image.name.clone(),
        layer: layer.name.clone(),
        source: Box::new(source),
    }
}

fn read_failed(image: &Image, layer: &str, source: io::Error) -> ImageError {
    ImageError::LayerRead { image: image.name.clone(), layer: layer.to_owned(), source }
}
