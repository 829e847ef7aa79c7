//! Small images.

use oci_spec::image::{Descriptor, MediaType, Sha256Digest};
use serde_json::{Value, json};

use crate::store::{Session, StoreError};
use host::digest::Digest;

/// An image of one or two layers; images share layers as the numbers allow.
pub struct Sample {
    pub blobs: Vec<Vec<u8>>,
    pub id: Digest,
    pub manifest: Descriptor,
}

fn descriptor(media_type: MediaType, bytes: &[u8]) -> Descriptor {
    let digest: Sha256Digest = Digest::of(bytes).hex().parse().unwrap();
    Descriptor::new(media_type, bytes.len() as u64, digest)
}

impl Sample {
    pub fn new(number: usize) -> Self {
        let layers = [b"shared".to_vec(), format!("own {number}").into_bytes()];
        let layers = &layers[..1 + number % 2];
        let diff_ids: Vec<String> =
            layers.iter().map(|layer| Digest::of(layer).to_string()).collect();
        let config = json!({
            "architecture": "amd64", "os": "linux", "author": number.to_string(),
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        });
        let config = config.to_string().into_bytes();
        let layer = |bytes: &Vec<u8>| descriptor(MediaType::ImageLayer, bytes);
        let manifest: Value = json!({
            "schemaVersion": 2, "config": descriptor(MediaType::ImageConfig, &config),
            "layers": layers.iter().map(layer).collect::<Vec<_>>(),
        });
        let manifest = manifest.to_string().into_bytes();
        let entry = descriptor(MediaType::ImageManifest, &manifest);
        let id = Digest::of(&config);
        Self { blobs: [layers, &[config, manifest]].concat(), id, manifest: entry }
    }

    pub fn digest(&self) -> Digest {
        Digest::of(self.blobs.last().unwrap())
    }

    pub fn put(&self, session: &Session, blob: usize) -> Result<(), StoreError> {
        let bytes = &self.blobs[blob];
        session.put_blob(&bytes[..], (Digest::of(bytes), bytes.len() as u64), "test")
    }
}
