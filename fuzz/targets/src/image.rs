//! An image's documents, and the names of images.

use host::cache::Cache;
use host::digest::Digest;
use host::platform::Platform;
use images::image::{Reference, open};
use images::layer::Limits;
use images::limits;
use images::store::Name;

use crate::files::{file, path_of};
use crate::input::pieces;
use crate::kernel::check_refusal;

/// Where a document has the digest and the size of the next one, which the fuzzer can't compute.
const DIGEST: &[u8] = b"%digest%";
const SIZE: &[u8] = b"%size%";

/// An OCI layout in a tar: an index, a manifest, a configuration and a layer, with bytes of zero between them.
pub fn oci_image(bytes: &[u8]) {
    let [index, manifest, config, layer] = pieces(bytes);
    let layer = (blob_name(layer), layer.to_vec());
    let config = (blob_name(config), config.to_vec());
    // A manifest speaks of the configuration first and then of the layer.
    let manifest = fill(&fill(manifest, &config.1, 1), &layer.1, usize::MAX);
    let index = fill(index, &manifest, usize::MAX);
    open_archive(&[
        ("oci-layout".to_owned(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec()),
        ("index.json".to_owned(), index),
        (blob_name(&manifest), manifest),
        config,
        layer,
    ]);
}

/// A docker archive: a manifest, a configuration and a layer, with bytes of zero between them.
pub fn docker_image(bytes: &[u8]) {
    let [manifest, config, layer] = pieces(bytes);
    open_archive(&[
        ("manifest.json".to_owned(), manifest.to_vec()),
        ("config.json".to_owned(), config.to_vec()),
        ("layer.tar".to_owned(), layer.to_vec()),
    ]);
}

fn blob_name(blob: &[u8]) -> String {
    format!("blobs/sha256/{}", Digest::of(blob).hex())
}

/// Puts the digest and the size of `next` in the first `count` places for them.
fn fill(document: &[u8], next: &[u8], count: usize) -> Vec<u8> {
    let digest = format!("sha256:{}", Digest::of(next).hex());
    let document = replace(document, DIGEST, digest.as_bytes(), count);
    replace(&document, SIZE, next.len().to_string().as_bytes(), count)
}

fn replace(mut text: &[u8], what: &[u8], with: &[u8], count: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for _ in 0..count {
        let Some(at) = text.windows(what.len()).position(|window| window == what) else { break };
        out.extend(&text[..at]);
        out.extend(with);
        text = &text[at + what.len()..];
    }
    out.extend(text);
    out
}

fn open_archive(files: &[(String, Vec<u8>)]) {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        archive.append_data(&mut header, name, &**content).expect("a member");
    }
    let archive = file(&archive.into_inner().expect("an archive"));
    let folder = tempfile::tempdir().expect("a folder for the cache");
    let cache = Cache::open(folder.path().to_owned()).expect("a cache");
    let reference = Reference { path: path_of(&archive).into(), name: None };
    match open(&cache, &reference, Platform::Amd64, Limits::default()) {
        Ok(image) => assert!(image.layers.len() <= limits::LAYERS),
        Err(error) => check_refusal(&error),
    }
}

/// An image's name, as a person writes it.
pub fn image_name(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match Name::parse(text) {
        Ok(name) => {
            for text in [name.to_string(), name.short()] {
                let again = Name::parse(&text).map_err(|error| error.to_string());
                assert_eq!(again.as_ref(), Ok(&name), "{text}");
            }
        }
        Err(error) => check_refusal(&error),
    }
}
