//! Docker archives: what `docker save` writes.
//!
//! `manifest.json` lists the images; each names its configuration and its layers, which are plain files of the
//! archive. Only the configuration promises anything about the layers: the digests of their uncompressed tars.

use oci_spec::image::ImageConfiguration;
use serde::{Deserialize, Serialize};

use super::documents::IsDocker;
use super::error::ImageError;
use super::files::Files;
use super::oci::{SHORT_DIGEST, check_platform, diff_ids, is_digest, list};
use super::{Image, ImageConfig, LayerData, LayerSource, Reference};
use host::digest::{Digest, DigestReader, Mismatch};
use host::platform::Platform;

/// One image of the archive (moby `image/tarexport`, `manifestItem`).
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Item {
    pub config: String,
    #[serde(default)]
    pub repo_tags: Option<Vec<String>>,
    #[serde(default)]
    pub layers: Option<Vec<String>>,
}

impl Item {
    pub fn tags(&self) -> &[String] {
        self.repo_tags.as_deref().unwrap_or_default()
    }

    /// Whether the person's name means this image: all of a tag, or the part behind its last `/`, or the start of its ID.
    fn is_called(&self, wanted: &str) -> bool {
        let is_tag = self.tags().iter().any(|tag| {
            let short = tag.rsplit('/').next().unwrap_or(tag);
            let version = short.split_once(':').map(|(_, version)| version);
            tag == wanted || short == wanted || version == Some(wanted)
        });
        is_tag || is_digest(self.base(), wanted) || self.config == wanted
    }

    /// docker calls a configuration by its digest: `HEX.json`, or `blobs/sha256/HEX`.
    fn base(&self) -> &str {
        let base = self.config.rsplit('/').next().unwrap_or(&self.config);
        base.strip_suffix(".json").unwrap_or(base)
    }

    /// What a person can call an image by that has no tag.
    fn id(&self) -> String {
        match Digest::parse_hex(self.base()) {
            Some(id) => id.hex()[..SHORT_DIGEST].to_owned(),
            None => self.config.clone(),
        }
    }
}

/// Whether `manifest` lists images, and not something else of a root file system.
pub fn is_docker(files: &Files, manifest: &str) -> bool {
    files.has(manifest)
        && files.document::<IsDocker>(manifest, None).is_ok_and(|IsDocker(is_docker)| is_docker)
}

/// Understand the archive's image of that name, which has to be for this platform.
pub fn open(
    files: &Files,
    reference: &Reference,
    platform: Platform,
    manifest: &str,
) -> Result<Image, ImageError> {
    let items = items(files, manifest)?;
    let held = || {
        let untagged = |item: &Item| if item.tags().is_empty() { Some(item.id()) } else { None };
        let names = items.iter().flat_map(|item| item.tags().iter().cloned().chain(untagged(item)));
        list(&names.collect::<Vec<_>>())
    };
    let wanted = reference.name.as_deref();
    let fitting: Vec<&Item> =
        items.iter().filter(|item| wanted.is_none_or(|name| item.is_called(name))).collect();
    let item = match (&fitting[..], wanted) {
        ([item], _) => item,
        ([], Some(name)) => {
            return Err(ImageError::NoSuchName {
                image: files.image(),
                name: name.to_owned(),
                held: held(),
            });
        }
        _ => return Err(ImageError::Ambiguous { image: files.image(), held: held() }),
    };
    let (configuration, layers) = read(files, item)?;
    check_platform(files, &configuration, platform)?;
    let name = reference.path.display().to_string();
    Ok(Image { name, config: ImageConfig::from(&configuration), layers })
}

/// The archive's images.
pub fn items(files: &Files, manifest: &str) -> Result<Vec<Item>, ImageError> {
    files.document(manifest, None)
}

/// Understand an image, for whatever platform.
pub fn read(
    files: &Files,
    item: &Item,
) -> Result<(ImageConfiguration, Vec<LayerSource>), ImageError> {
    check_config_digest(files, item)?;
    let configuration: ImageConfiguration = files.document(&item.config, None)?;
    let paths = item.layers.clone().unwrap_or_default();
    let diff_ids = diff_ids(files, &item.config, &configuration, paths.len())?;
    let mut layers = Vec::new();
    for (path, diff_id) in paths.into_iter().zip(diff_ids) {
        if !files.has(&path) {
            return Err(ImageError::Missing { image: files.image(), file: path });
        }
        let data =
            LayerData::Packed { files: files.clone(), path: path.clone(), stored: None, diff_id };
        layers.push(LayerSource { name: path, key: diff_id.hex(), data });
    }
    Ok((configuration, layers))
}

/// A configuration that is called by a digest has it.
fn check_config_digest(files: &Files, item: &Item) -> Result<(), ImageError> {
    let name = item.config.as_str();
    let Some(expected) = Digest::parse_hex(item.base()) else { return Ok(()) };
    let mut reader = DigestReader::new(files.open(name)?);
    std::io::copy(&mut reader, &mut std::io::sink()).map_err(|source| ImageError::Read {
        image: files.image(),
        file: name.to_owned(),
        source,
    })?;
    let actual = reader.finish().0;
    if actual != expected {
        let source = Mismatch::Digest { expected, actual };
        return Err(ImageError::Mismatch { image: files.image(), file: name.to_owned(), source });
    }
    Ok(())
}
