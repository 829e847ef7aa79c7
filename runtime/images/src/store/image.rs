//! The images of the store, and which of them a person means.

use oci_spec::image::{Descriptor, ImageConfiguration, ImageManifest};

use super::error::failed;
use super::{ImageStore, Name, StoreError, Version, index};
use crate::image::oci::{INDEX, blob_name, digest_of, list, open_manifest};
use crate::image::{Image, ImageError};
use host::digest::Digest;
use host::platform::Platform;

/// An image that is in the store.
#[derive(Clone, Debug)]
pub struct StoredImage {
    /// What it is called; nothing, when its last name went to another image.
    pub names: Vec<Name>,
    /// The digest of its configuration, which docker calls the image's ID.
    pub id: Digest,
    /// Its manifest's descriptor, without a name.
    pub manifest: Descriptor,
    /// Its manifest's digest.
    pub digest: Digest,
    /// Its configuration.
    pub configuration: ImageConfiguration,
    /// Bytes that its configuration and layers take in the store.
    pub size: u64,
}

impl ImageStore {
    /// All images, in the order of the index.
    pub fn list(&self) -> Result<Vec<StoredImage>, StoreError> {
        self.images(&self.entries()?)
    }

    /// The image with that name (`busybox`, `name:tag`, `name@sha256:…`), ID, or start of an ID.
    pub fn resolve(&self, text: &str) -> Result<StoredImage, StoreError> {
        self.find(&self.entries()?, text)
    }

    /// The ID of the image with this manifest. A container keeps both when the image has no name and no entry any more.
    pub fn id_of(&self, manifest: Digest) -> Result<Digest, StoreError> {
        let path = self.blob(manifest);
        let size = std::fs::metadata(&path).map_err(failed("read", &path))?.len();
        let files = self.files();
        let read: ImageManifest = files.document(&blob_name(manifest), Some((manifest, size)))?;
        Ok(digest_of(&files, &blob_name(manifest), read.config())?)
    }

    /// One of them, to be unpacked on this platform; `name` is for messages.
    pub fn open_image(
        &self,
        stored: &StoredImage,
        name: String,
        platform: Platform,
    ) -> Result<Image, ImageError> {
        open_manifest(&self.files(), &stored.manifest, name, platform)
    }

    /// The manifest of an image in the index.
    pub(super) fn manifest(&self, entry: &Descriptor) -> Result<ImageManifest, StoreError> {
        let files = self.files();
        let digest = digest_of(&files, INDEX, entry)?;
        Ok(files.document(&blob_name(digest), Some((digest, entry.size())))?)
    }

    pub(super) fn images(&self, entries: &[Descriptor]) -> Result<Vec<StoredImage>, StoreError> {
        let mut images: Vec<StoredImage> = Vec::new();
        for entry in entries {
            let name = index::name_of(entry);
            match images.iter_mut().find(|image| image.manifest.digest() == entry.digest()) {
                Some(image) => image.names.extend(name),
                None => images.push(self.image(entry, name)?),
            }
        }
        Ok(images)
    }

    fn image(&self, entry: &Descriptor, name: Option<Name>) -> Result<StoredImage, StoreError> {
        let files = self.files();
        let manifest = self.manifest(entry)?;
        let digest = digest_of(&files, INDEX, entry)?;
        let id = digest_of(&files, &blob_name(digest), manifest.config())?;
        let configuration = files.document(&blob_name(id), Some((id, manifest.config().size())))?;
        let layers: u64 = manifest.layers().iter().map(Descriptor::size).sum();
        Ok(StoredImage {
            names: name.into_iter().collect(),
            id,
            manifest: index::named(entry, None),
            digest,
            configuration,
            size: manifest.config().size() + layers,
        })
    }

    /// A name goes before an ID that starts so.
    pub(super) fn find(
        &self,
        entries: &[Descriptor],
        text: &str,
    ) -> Result<StoredImage, StoreError> {
        // A name needs only its own image to be read.
        let name = Name::parse(text);
        if let Ok(name) = &name
            && let Some(entry) = entries.iter().find(|entry| is_called(entry, name))
        {
            let same = |other: &&Descriptor| other.digest() == entry.digest();
            let own: Vec<Descriptor> = entries.iter().filter(same).cloned().collect();
            return self.images(&own)?.pop().ok_or_else(|| not_found(text));
        }
        let digits = text.strip_prefix("sha256:").unwrap_or(text);
        let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if !(1..=64).contains(&digits.len()) || !digits.bytes().all(hex) {
            name?;
            return Err(not_found(text));
        }
        let mut images = self.images(entries)?;
        images.retain(|image| image.id.hex().starts_with(digits));
        match images.len() {
            0 => Err(not_found(text)),
            1 => Ok(images.remove(0)),
            _ => {
                let ids: Vec<String> = images.iter().map(|image| image.id.hex()).collect();
                Err(StoreError::Ambiguous { text: text.to_owned(), held: list(&ids) })
            }
        }
    }
}

/// Whether an entry has that name: a digest is looked up under every tag of its repository. A name with the digest of an
/// index that the image was chosen from is a name like others.
fn is_called(entry: &Descriptor, wanted: &Name) -> bool {
    index::name_of(entry).is_some_and(|name| match wanted.version() {
        Version::Tag(_) => name == *wanted,
        Version::Digest(digest) => {
            name == *wanted
                || name.repository() == wanted.repository()
                    && entry.digest().to_string() == digest.to_string()
        }
    })
}

fn not_found(text: &str) -> StoreError {
    StoreError::NotFound(text.escape_debug().to_string())
}
