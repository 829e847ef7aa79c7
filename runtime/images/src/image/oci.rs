//! OCI image layouts (OCI image specification, "Image Layout"): index → manifest → configuration and layers.

mod choose;
pub(crate) mod media;
mod names;

use oci_spec::image::{
    Descriptor, ImageConfiguration, ImageIndex, ImageManifest, MediaType, OciLayout,
    PlatformBuilder, Sha256Digest,
};

use choose::choose;
pub use choose::{best, manifest_of, means_index};
pub use names::{
    Called, FULL_NAME, REF_NAME, SHORT_DIGEST, called, closest, names, platform_of, platform_text,
};

use super::error::ImageError;
use super::files::Files;
use super::platform::runs;
use super::{Image, ImageConfig, LayerData, LayerSource, Reference};
use crate::limits;
use host::digest::Digest;
use host::platform::Platform;

/// The file that makes a folder an OCI layout ("oci-layout file"), and the one that lists its images ("index.json file").
pub const LAYOUT: &str = "oci-layout";
pub const INDEX: &str = "index.json";

/// Whether the index names something that is there.
pub fn has_what_it_names(files: &Files) -> bool {
    let index = files.document::<ImageIndex>(INDEX, None);
    let is_there = |entry: &Descriptor| {
        digest_of(files, INDEX, entry).is_ok_and(|digest| files.has(&blob_name(digest)))
    };
    index.is_ok_and(|index| index.manifests().iter().any(is_there))
}

/// Understand the layout's image of that name, for this platform.
pub fn open(files: &Files, reference: &Reference, platform: Platform) -> Result<Image, ImageError> {
    let manifest = choose(files, &index(files)?, reference, platform)?;
    open_manifest(files, &manifest, reference.path.display().to_string(), platform)
}

/// Understand the layout's image with that manifest, for this platform; `name` is for messages.
pub fn open_manifest(
    files: &Files,
    manifest: &Descriptor,
    name: String,
    platform: Platform,
) -> Result<Image, ImageError> {
    let Contents { configuration, layers, .. } = read(files, manifest)?;
    check_platform(files, &configuration, platform)?;
    Ok(Image { name, config: ImageConfig::from(&configuration), layers })
}

/// The layout's index.
pub fn index(files: &Files) -> Result<ImageIndex, ImageError> {
    if files.has(LAYOUT) {
        let layout: OciLayout = files.document(LAYOUT, None)?;
        let version = layout.image_layout_version();
        if !version.starts_with("1.") {
            let reason = format!("version {} is not supported, only 1", version.escape_debug());
            return Err(files.invalid(LAYOUT, reason));
        }
    }
    files.document(INDEX, None)
}

/// An image that was understood, for whatever platform.
pub struct Contents {
    /// The name of the manifest's file.
    pub name: String,
    pub manifest: ImageManifest,
    pub configuration: ImageConfiguration,
    pub layers: Vec<LayerSource>,
}

/// Understand the image with that manifest.
pub fn read(files: &Files, descriptor: &Descriptor) -> Result<Contents, ImageError> {
    let Description { name, manifest, configuration, diff_ids } =
        describe_image(files, descriptor)?;
    let mut layers = Vec::new();
    for (descriptor, diff_id) in manifest.layers().iter().zip(diff_ids) {
        let digest = digest_of(files, &name, descriptor)?;
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
    Ok(Contents { name, manifest, configuration, layers })
}

/// What an image says about itself; its layers may not be there yet.
pub struct Description {
    /// The name of the manifest's file.
    pub name: String,
    pub manifest: ImageManifest,
    pub configuration: ImageConfiguration,
    /// One for each layer.
    diff_ids: Vec<Digest>,
}

/// Understand the image with that manifest, all but its layers' contents.
pub fn describe_image(files: &Files, descriptor: &Descriptor) -> Result<Description, ImageError> {
    let (name, manifest) = manifest_of(files, descriptor)?;
    let (config_name, configuration) = configuration_of(files, &name, &manifest)?;
    let diff_ids = diff_ids(files, &config_name, &configuration, manifest.layers().len())?;
    for descriptor in manifest.layers() {
        if !media::is_layer(descriptor.media_type()) {
            let reason = format!(
                "a layer has the media type '{}', which is not supported",
                descriptor.media_type().to_string().escape_debug()
            );
            return Err(files.invalid(&name, reason));
        }
    }
    Ok(Description { name, manifest, configuration, diff_ids })
}

/// What the image of the manifest in this file says about itself, and the name of the file that it says it in.
fn configuration_of(
    files: &Files,
    manifest_name: &str,
    manifest: &ImageManifest,
) -> Result<(String, ImageConfiguration), ImageError> {
    let digest = digest_of(files, manifest_name, manifest.config())?;
    let name = blob_name(digest);
    let configuration = files.document(&name, Some((digest, manifest.config().size())))?;
    Ok((name, configuration))
}

/// An image for another machine is refused, whatever the index said about it.
pub fn check_platform(
    files: &Files,
    configuration: &ImageConfiguration,
    platform: Platform,
) -> Result<(), ImageError> {
    if runs(platform, configuration.os(), configuration.architecture()) {
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
    if layers > limits::LAYERS {
        return Err(
            files.invalid(name, format!("it has {layers} layers; the limit is {}", limits::LAYERS))
        );
    }
    if texts.len() != layers {
        let reason =
            format!("rootfs.diff_ids: it has {} diff_ids for {layers} layers", texts.len());
        return Err(files.invalid(name, reason));
    }
    let parse = |text: &String| {
        let reason = || {
            format!("rootfs.diff_ids: the diff_id '{}' is not a sha256 digest", text.escape_debug())
        };
        Digest::parse(text).ok_or_else(|| files.invalid(name, reason()))
    };
    texts.iter().map(parse).collect()
}

/// The digest that a descriptor in `file` names its blob by.
pub fn digest_of(files: &Files, file: &str, descriptor: &Descriptor) -> Result<Digest, ImageError> {
    let digest = descriptor.as_digest_sha256().and_then(Digest::parse_hex);
    digest.ok_or_else(|| {
        files.invalid(file, format!("the digest {} is not a sha256 digest", descriptor.digest()))
    })
}

/// A descriptor of what has this digest and length.
pub fn descriptor(media_type: MediaType, digest: Digest, size: u64) -> Descriptor {
    let digest: Sha256Digest = digest.hex().parse().expect("64 hexadecimal digits are a digest");
    Descriptor::new(media_type, size, digest)
}

/// A manifest's descriptor that says which platform its image is for.
pub fn with_platform(mut manifest: Descriptor, configuration: &ImageConfiguration) -> Descriptor {
    let mut platform = PlatformBuilder::default()
        .os(configuration.os().clone())
        .architecture(configuration.architecture().clone())
        .build()
        .expect("a platform with a system and an architecture is complete");
    platform.set_variant(configuration.variant().clone());
    manifest.set_platform(Some(platform));
    manifest
}

/// Where a layout keeps the blob with this digest.
pub fn blob_name(digest: Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
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
