//! OCI image layouts (OCI image specification, "Image Layout"): index → manifest → configuration and layers.

use oci_spec::image::{
    Descriptor, ImageConfiguration, ImageIndex, ImageManifest, MediaType, OciLayout,
};

use super::error::ImageError;
use super::files::Files;
use super::{Image, ImageConfig, LayerData, LayerSource, Reference};
use crate::digest::Digest;
use crate::platform::Platform;

/// How deep an index may refer to an index.
const MAX_DEPTH: usize = 4;

/// The most manifests and nested indexes that are looked at.
const MAX_MANIFESTS: usize = 1000;

/// The most layers of an image. Each is a file that the VMM keeps open; docker stops at 127.
const MAX_LAYERS: usize = 256;

/// The name of an image in a layout (OCI image specification, "Pre-Defined Annotation Keys"), often only a tag.
const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// The full name, as containerd and `docker save` write it.
const CONTAINERD_NAME: &str = "io.containerd.image.name";

/// docker's own words for the OCI media types.
const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LAYERS: [&str; 5] = [
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
    "application/vnd.docker.image.rootfs.diff.tar.zstd",
    "application/vnd.docker.image.rootfs.foreign.diff.tar",
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
];

/// Understand the layout's image of that name, for this platform.
pub fn open(files: &Files, reference: &Reference, platform: Platform) -> Result<Image, ImageError> {
    let layout: OciLayout = files.document("oci-layout", None)?;
    if !layout.image_layout_version().starts_with("1.") {
        let version = layout.image_layout_version();
        return Err(
            files.invalid("oci-layout", format!("version {version} is not supported, only 1"))
        );
    }
    let index: ImageIndex = files.document("index.json", None)?;
    let manifest = choose(files, &index, reference, platform)?;
    let digest = digest_of(files, &manifest)?;
    let name = blob_name(digest);
    let manifest: ImageManifest = files.document(&name, Some((digest, manifest.size())))?;
    read_manifest(files, reference, platform, &name, &manifest)
}

/// The manifest to use: of that name, for this platform.
fn choose(
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
    let mut manifests = Vec::new();
    let mut budget = MAX_MANIFESTS;
    for descriptor in named {
        flatten(files, descriptor, 0, &mut budget, &mut manifests)?;
    }
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

/// Collect the manifests that a descriptor stands for.
fn flatten(
    files: &Files,
    descriptor: &Descriptor,
    depth: usize,
    budget: &mut usize,
    manifests: &mut Vec<Descriptor>,
) -> Result<(), ImageError> {
    let too_many =
        || files.invalid("index.json", format!("it holds more than {MAX_MANIFESTS} images"));
    *budget = budget.checked_sub(1).ok_or_else(too_many)?;
    let media_type = descriptor.media_type();
    if *media_type == MediaType::ImageIndex || media_type.as_ref() == DOCKER_INDEX {
        let digest = digest_of(files, descriptor)?;
        let name = blob_name(digest);
        if depth == MAX_DEPTH {
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

fn read_manifest(
    files: &Files,
    reference: &Reference,
    platform: Platform,
    name: &str,
    manifest: &ImageManifest,
) -> Result<Image, ImageError> {
    let config = manifest.config();
    let digest = digest_of(files, config)?;
    let config_name = blob_name(digest);
    let configuration: ImageConfiguration =
        files.document(&config_name, Some((digest, config.size())))?;
    check_platform(files, &configuration, platform)?;
    let diff_ids = diff_ids(files, &config_name, &configuration, manifest.layers().len())?;
    let mut layers = Vec::new();
    for (descriptor, diff_id) in manifest.layers().iter().zip(diff_ids) {
        if !is_layer(descriptor.media_type()) {
            let reason = format!(
                "a layer has the media type '{}', which is not supported",
                descriptor.media_type()
            );
            return Err(files.invalid(name, reason));
        }
        let digest = digest_of(files, descriptor)?;
        let path = blob_name(digest);
        if !files.has(&path) {
            return Err(ImageError::Missing { image: files.image(), file: path });
        }
        let data = LayerData::Packed {
            files: files.clone(),
            path,
            stored: Some((digest, descriptor.size())),
            diff_id,
        };
        layers.push(LayerSource { name: digest.to_string(), key: diff_id.hex(), data });
    }
    let name = reference.path.display().to_string();
    Ok(Image { name, config: ImageConfig::from(&configuration), layers })
}

/// An image for another machine is refused, whatever the index said about it.
pub fn check_platform(
    files: &Files,
    configuration: &ImageConfiguration,
    platform: Platform,
) -> Result<(), ImageError> {
    if platform.runs(configuration.os(), configuration.architecture()) {
        return Ok(());
    }
    let found = format!("{}/{}", configuration.os(), configuration.architecture());
    Err(wrong_platform(files, found, platform))
}

/// The digests of the uncompressed layers, one for each layer.
pub fn diff_ids(
    files: &Files,
    name: &str,
    configuration: &ImageConfiguration,
    layers: usize,
) -> Result<Vec<Digest>, ImageError> {
    let texts = configuration.rootfs().diff_ids();
    if layers > MAX_LAYERS {
        return Err(
            files.invalid(name, format!("it has {layers} layers; the limit is {MAX_LAYERS}"))
        );
    }
    if texts.len() != layers {
        let reason = format!("it has {} diff_ids for {layers} layers", texts.len());
        return Err(files.invalid(name, reason));
    }
    let parse = |text: &String| {
        let reason = || format!("the diff_id '{}' is not a sha256 digest", text.escape_debug());
        Digest::parse(text).ok_or_else(|| files.invalid(name, reason()))
    };
    texts.iter().map(parse).collect()
}

fn is_layer(media_type: &MediaType) -> bool {
    match media_type {
        MediaType::ImageLayer
        | MediaType::ImageLayerGzip
        | MediaType::ImageLayerZstd
        | MediaType::ImageLayerNonDistributable
        | MediaType::ImageLayerNonDistributableGzip
        | MediaType::ImageLayerNonDistributableZstd => true,
        other => DOCKER_LAYERS.contains(&other.as_ref()),
    }
}

fn digest_of(files: &Files, descriptor: &Descriptor) -> Result<Digest, ImageError> {
    let digest = descriptor.as_digest_sha256().and_then(Digest::parse_hex);
    digest.ok_or_else(|| {
        files.invalid(
            "index.json",
            format!("the digest {} is not a sha256 digest", descriptor.digest()),
        )
    })
}

/// Where a layout keeps the blob with this digest.
fn blob_name(digest: Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

/// Whether the person's name means this image: all of its name, or the part behind the last `/`, or the tag.
fn is_called(descriptor: &Descriptor, wanted: &str) -> bool {
    names(descriptor).any(|name| {
        let short = name.rsplit('/').next().unwrap_or(name);
        let tag = short.split_once(':').map(|(_, tag)| tag);
        name == wanted || short == wanted || tag == Some(wanted)
    })
}

fn names(descriptor: &Descriptor) -> impl Iterator<Item = &str> {
    let annotations = descriptor.annotations().as_ref();
    [CONTAINERD_NAME, REF_NAME]
        .into_iter()
        .filter_map(move |key| annotations.and_then(|map| map.get(key)).map(String::as_str))
}

fn describe(descriptor: &Descriptor) -> String {
    let name = names(descriptor).next().map(str::to_owned);
    name.or_else(|| platform_of(descriptor)).unwrap_or_else(|| descriptor.digest().to_string())
}

fn platform_of(descriptor: &Descriptor) -> Option<String> {
    let platform = descriptor.platform().as_ref()?;
    Some(format!("{}/{}", platform.os(), platform.architecture()))
}

fn wrong_platform(files: &Files, found: String, wanted: Platform) -> ImageError {
    ImageError::Platform { image: files.image(), found, wanted }
}

/// Names for a message: one line, however many there are.
pub fn list(names: &[String]) -> String {
    const MOST: usize = 20;
    let mut shown: Vec<String> =
        names.iter().take(MOST).map(|name| name.escape_debug().to_string()).collect();
    shown.sort();
    shown.dedup();
    if names.len() > MOST {
        shown.push(format!("{} more", names.len() - MOST));
    }
    if shown.is_empty() { "no names".to_owned() } else { shown.join(", ") }
}
