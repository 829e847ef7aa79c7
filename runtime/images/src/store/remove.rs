//! Names, images and blobs that go.

use std::collections::HashSet;
use std::error::Error;
use std::fs;

use oci_spec::image::Descriptor;

use super::error::failed;
use super::{ImageStore, Lock, Name, StoreError, file, index};
use crate::image::oci::{INDEX, blob_name, digest_of, list};
use host::digest::Digest;

/// What [`ImageStore::remove`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// The names that are gone.
    pub names: Vec<Name>,
    /// The image's ID, where it is gone too.
    pub image: Option<Digest>,
}

/// What [`ImageStore::prune`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// The IDs of the images that are gone.
    pub images: Vec<Digest>,
    /// Bytes of the blobs that are gone.
    pub bytes: u64,
}

/// Finds the manifests of images that are in use, whatever their names. It is asked while nobody else adds or reads
/// blobs: who begins to use an image has a [`Session`](super::Session) until this would find it.
pub type InUse<'a> = &'a dyn Fn() -> Result<Vec<Digest>, Box<dyn Error + Send + Sync>>;

impl ImageStore {
    /// Remove a name, and the image with its last one; or, given an ID, the image. One that has several names goes
    /// only with `force`. Blobs of no image go at once, unless somebody is adding or reading some; the manifests
    /// `in_use` stay with all that is theirs.
    pub fn remove(&self, text: &str, force: bool, in_use: InUse) -> Result<Removed, StoreError> {
        let removed = self.update(|entries| {
            let image = self.find(entries, text)?;
            let is_own = |entry: &Descriptor| entry.digest() == image.manifest.digest();
            let name = Name::parse(text).ok().filter(|name| image.names.contains(name));
            let by_name = name.is_some();
            if name.is_none() && image.names.len() > 1 && !force {
                let names: Vec<String> = image.names.iter().map(Name::short).collect();
                let id = image.id.hex()[..12].to_owned();
                return Err(StoreError::SeveralNames { id, names: list(&names) });
            }
            let gone =
                |entry: &Descriptor| is_own(entry) && (!by_name || index::name_of(entry) == name);
            entries.retain(|entry| !gone(entry));
            let names = name.clone().map_or(image.names, |name| vec![name]);
            let last = !entries.iter().any(is_own);
            Ok(Removed { names, image: last.then_some(image.id) })
        })?;
        if removed.image.is_some() {
            self.tidy(in_use)?;
        }
        Ok(removed)
    }

    /// Remove images without a name, and blobs of no image, except what the manifests `in_use` need. Waits until
    /// nobody adds or reads blobs.
    pub fn prune(&self, in_use: InUse) -> Result<Pruned, StoreError> {
        let _lock = self.lock_blobs(Lock::Exclusive)?;
        let in_use = in_use().map_err(StoreError::InUse)?;
        let images = self.update(|entries| {
            let mut nameless = self.images(entries)?;
            nameless.retain(|image| image.names.is_empty() && !in_use.contains(&image.digest));
            let digests: HashSet<String> =
                nameless.iter().map(|image| image.digest.to_string()).collect();
            entries.retain(|entry| !digests.contains(&entry.digest().to_string()));
            Ok(nameless.into_iter().map(|image| image.id).collect())
        })?;
        Ok(Pruned { images, bytes: self.collect(&in_use)? })
    }

    /// Remove blobs of no image, unless somebody is adding or reading blobs now.
    pub(super) fn tidy(&self, in_use: InUse) -> Result<(), StoreError> {
        if let Some(_lock) = self.try_lock_blobs()? {
            self.collect(&in_use().map_err(StoreError::InUse)?)?;
        }
        Ok(())
    }

    /// With the exclusive lock on the blobs: remove those that nothing needs; how many bytes that frees.
    fn collect(&self, in_use: &[Digest]) -> Result<u64, StoreError> {
        // A name given meanwhile would be for an image that was in the index before.
        let _lock = self.lock_index()?;
        let files = self.files();
        let mut manifests = Vec::new();
        for entry in self.entries()? {
            manifests.push((digest_of(&files, INDEX, &entry)?, self.manifest(&entry)?));
        }
        for &digest in in_use {
            let path = self.blob(digest);
            let Ok(metadata) = fs::metadata(&path) else { continue };
            let promised = Some((digest, metadata.len()));
            manifests.push((digest, files.document(&blob_name(digest), promised)?));
        }
        let mut needed = HashSet::new();
        for (digest, manifest) in &manifests {
            needed.insert(digest.hex());
            let name = blob_name(*digest);
            for descriptor in manifest.layers().iter().chain([manifest.config()]) {
                needed.insert(digest_of(&files, &name, descriptor)?.hex());
            }
        }
        let mut bytes = 0;
        for folder in [self.blobs(), self.ingest()] {
            for found in fs::read_dir(&folder).map_err(failed("list", &folder))? {
                let found = found.map_err(failed("list", &folder))?;
                if needed.contains(&*found.file_name().to_string_lossy()) {
                    continue;
                }
                let path = found.path();
                bytes += found.metadata().map_err(failed("read", &path))?.len();
                file::remove(&path).map_err(failed("remove", &path))?;
            }
            file::sync(&folder).map_err(failed("write", &folder))?;
        }
        Ok(bytes)
    }
}
