//! Docker archives: what `docker save` writes.
//!
//! `manifest.json` lists the images; each names its configuration and its layers, which are plain files of the
//! archive. Only the configuration promises anything about the layers: the digests of their uncompressed tars.

use oci_spec::image::ImageConfiguration;
use serde::{Deserialize, Serialize};

use super::documents::IsDocker;
use super::error::ImageError;
use super::files::Files;
use super::oci::{Called, SHORT_DIGEST, called, check_platform, closest, diff_ids, list};
use super::platform::runs;
use super::{Image, ImageConfig, LayerData, LayerSource, Reference};
use crate::limits;
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

    /// What the person's name is to this image.
    fn called(&self, wanted: &str) -> Option<Called> {
        let names = self.tags().iter().map(String::as_str).chain([self.config.as_str()]);
        called(names, self.base(), wanted)
    }

    /// Whether it is the same image as another one, or takes the other's names: of two the second has them (moby `Load`).
    fn replaces(&self, other: &Self) -> bool {
        let has = |tag: &String| self.tags().contains(tag);
        self.config == other.config || !other.tags().is_empty() && other.tags().iter().all(has)
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
    let held = |items: &[&Item]| {
        let untagged = |item: &Item| if item.tags().is_empty() { Some(item.id()) } else { None };
        let names = |item: &&Item| item.tags().iter().cloned().chain(untagged(item)).collect();
        list(&items.iter().flat_map::<Vec<String>, _>(names).collect::<Vec<_>>())
    };
    let all: Vec<&Item> = items.iter().collect();
    let meant = match &reference.name {
        None => all,
        Some(name) => {
            let meant = closest(&all, |item| item.called(name));
            if meant.is_empty() {
                let (image, name) = (files.image(), name.clone());
                return Err(ImageError::NoSuchName { image, name, held: held(&all) });
            }
            meant
        }
    };
    let distinct = distinct(files, &meant, platform);
    let item = match &distinct[..] {
        [item] => item,
        several => {
            return Err(ImageError::Ambiguous { image: files.image(), held: held(several) });
        }
    };
    let (configuration, layers) = read(files, item)?;
    check_platform(files, &configuration, platform)?;
    let name = reference.path.display().to_string();
    Ok(Image { name, config: ImageConfig::from(&configuration), layers })
}

/// The different images among these, of several only those that run on the platform: those that a person can choose from.
fn distinct<'a>(files: &Files, items: &[&'a Item], platform: Platform) -> Vec<&'a Item> {
    let fits = |item: &&&Item| {
        let image = files.document::<ImageConfiguration>(&item.config, None);
        image.is_ok_and(|image| runs(platform, image.os(), image.architecture()))
    };
    let mut fitting: Vec<&Item> = Vec::new();
    if items.len() > 1 {
        fitting.extend(items.iter().take(limits::MANIFESTS).filter(fits));
    }
    let mut distinct: Vec<&Item> = Vec::new();
    for item in if fitting.is_empty() { items } else { &fitting } {
        distinct.retain(|other| !item.replaces(other));
        distinct.push(item);
    }
    distinct
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
