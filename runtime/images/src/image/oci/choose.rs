//! Which manifest of a layout is meant.

use oci_spec::image::{Descriptor, ImageIndex, MediaType};

use super::names::{describe, is_called, platform_of};
use super::{blob_name, digest_of, list, wrong_platform};
use crate::image::Reference;
use crate::image::error::ImageError;
use crate::image::files::Files;
use crate::limits;
use host::platform::Platform;

/// docker's own words for the OCI media types of indexes and manifests.
const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// The manifest to use: of that name, for this platform.
pub fn choose(
    files: &Files,
    index: &ImageIndex,
    reference: &Reference,
    platform: Platform,
) -> Result<Descriptor, ImageError> {
    let named: Vec<&Descriptor> = index
        .manifests()
        .iter()
        .filter(|descriptor| {
            reference.name.as_deref().is_none_or(|name| is_called(descriptor, name))
        })
        .collect();
    let held = || {
        let names: Vec<String> = index.manifests().iter().map(describe).collect();
        list(&names)
    };
    if let (true, Some(name)) = (named.is_empty(), &reference.name) {
        return Err(ImageError::NoSuchName {
            image: files.image(),
            name: name.clone(),
            held: held(),
        });
    }
    let manifests = flatten_all(files, named)?;
    let fits = |manifest: &&Descriptor| {
        manifest.platform().as_ref().is_none_or(|p| platform.runs(p.os(), p.architecture()))
    };
    let mut fitting: Vec<&Descriptor> = manifests.iter().filter(fits).collect();
    // The same manifest under two names is one image.
    fitting.dedup_by_key(|manifest| manifest.digest().clone());
    match fitting[..] {
        [one] => Ok(one.clone()),
        [] if manifests.is_empty() => Err(files.invalid("index.json", "it holds no image")),
        [] => {
            let platforms: Vec<String> = manifests.iter().filter_map(platform_of).collect();
            Err(wrong_platform(files, list(&platforms), platform))
        }
        _ => Err(ImageError::Ambiguous { image: files.image(), held: held() }),
    }
}

/// The manifests that these descriptors stand for.
pub fn flatten_all<'a>(
    files: &Files,
    descriptors: impl IntoIterator<Item = &'a Descriptor>,
) -> Result<Vec<Descriptor>, ImageError> {
    let mut manifests = Vec::new();
    let mut budget = limits::MANIFESTS;
    for descriptor in descriptors {
        flatten(files, descriptor, 0, &mut budget, &mut manifests)?;
    }
    Ok(manifests)
}

/// Collect the manifests that a descriptor stands for.
fn flatten(
    files: &Files,
    descriptor: &Descriptor,
    depth: usize,
    budget: &mut usize,
    manifests: &mut Vec<Descriptor>,
) -> Result<(), ImageError> {
    let too_many =
        || files.invalid("index.json", format!("it holds more than {} images", limits::MANIFESTS));
    *budget = budget.checked_sub(1).ok_or_else(too_many)?;
    let media_type = descriptor.media_type();
    if *media_type == MediaType::ImageIndex || media_type.as_ref() == DOCKER_INDEX {
        let digest = digest_of(files, descriptor)?;
        let name = blob_name(digest);
        if depth == limits::INDEX_DEPTH {
            return Err(files.invalid(&name, "indexes refer to indexes too deeply"));
        }
        let index: ImageIndex = files.document(&name, Some((digest, descriptor.size())))?;
        for nested in index.manifests() {
            flatten(files, nested, depth + 1, budget, manifests)?;
        }
        return Ok(());
    }
    if *media_type == MediaType::ImageManifest || media_type.as_ref() == DOCKER_MANIFEST {
        manifests.push(descriptor.clone());
    }
    // Anything else in an index is to be ignored ("OCI Image Index Specification").
    Ok(())
}
