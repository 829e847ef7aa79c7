//! What media types say. Of a layer only that it is one: how it is packed is told by its first bytes.

use oci_spec::image::{Descriptor, ImageManifest, MediaType};

/// docker's own words for the OCI media types ("Image Manifest Version 2, Schema 2").
const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.";
const OCI_LAYER: &str = "application/vnd.oci.image.layer.";

/// What registries gave to anything in docker's first years.
const UNTOLD: [&str; 2] = ["", "application/octet-stream"];

/// Types of tars that are no image's own.
const TARS: [&str; 5] = [
    "application/x-tar",
    "application/tar",
    "application/tar+gzip",
    "application/gzip",
    "application/x-gzip",
];

/// BuildKit's word for what is beside an image, as in "attestation-manifest" ("Image attestation storage").
const REFERENCE: &str = "vnd.docker.reference.type";

/// BuildKit gives its attestations this system and this architecture.
const NOWHERE: &str = "unknown";

/// Whether it is an index.
pub fn is_index(media_type: &MediaType) -> bool {
    *media_type == MediaType::ImageIndex || media_type.as_ref() == DOCKER_INDEX
}

/// Whether it is a manifest.
pub fn is_manifest(media_type: &MediaType) -> bool {
    *media_type == MediaType::ImageManifest || [DOCKER_MANIFEST, ""].contains(&media_type.as_ref())
}

/// Whether it is an image's configuration.
fn is_config(media_type: &MediaType) -> bool {
    let text = media_type.as_ref();
    *media_type == MediaType::ImageConfig || text == DOCKER_CONFIG || UNTOLD.contains(&text)
}

/// Whether it is a layer that can be read.
pub fn is_layer(media_type: &MediaType) -> bool {
    let text = media_type.as_ref();
    let is_tar = text.starts_with(OCI_LAYER)
        || text.starts_with(DOCKER_LAYER)
        || UNTOLD.contains(&text)
        || TARS.contains(&text);
    // ocicrypt's word, behind that for the compression.
    is_tar && !text.ends_with("+encrypted")
}

/// Whether an entry of an index says that it is something beside an image.
pub fn is_beside(entry: &Descriptor) -> bool {
    let annotations = entry.annotations().as_ref();
    let refers = annotations.is_some_and(|annotations| annotations.contains_key(REFERENCE));
    let nowhere = entry.platform().as_ref().is_some_and(|platform| {
        platform.os().to_string() == NOWHERE || platform.architecture().to_string() == NOWHERE
    });
    refers || nowhere || is_artifact(entry.artifact_type().as_ref())
}

/// Whether a manifest is one of an image, and not of an artifact that has an image's form.
pub fn is_image(manifest: &ImageManifest) -> bool {
    is_config(manifest.config().media_type())
        && !is_artifact(manifest.artifact_type().as_ref())
        && manifest.layers().iter().all(|layer| !is_of_an_artifact(layer.media_type()))
}

/// Of an image, tools that set the field set it to its configuration's type.
fn is_artifact(artifact_type: Option<&MediaType>) -> bool {
    artifact_type.is_some_and(|artifact_type| !is_config(artifact_type))
}

/// Statements and signatures, which say of what they are in JSON; an unknown layer is an error that is to be told.
fn is_of_an_artifact(media_type: &MediaType) -> bool {
    media_type.as_ref().ends_with("+json")
}
