//! Blobs: added by anybody at any time, removed when nobody adds or reads any.

use std::fs::File;
use std::io::Read;
use std::sync::Arc;

use oci_spec::image::Descriptor;

use super::error::failed;
use super::file::AtomicFile;
use super::{ImageStore, Lock, Name, StoreError, index};
use crate::copy::{CHUNK, CopyError, copy};
use crate::image::files::check;
use host::digest::{Digest, DigestReader};

/// While it lives, no blob is removed: for adding an image, and for reading one.
#[derive(Clone, Debug)]
pub struct Session {
    store: ImageStore,
    _lock: Arc<File>,
}

impl ImageStore {
    /// Begin to add or to read blobs; waits while somebody removes some.
    pub fn session(&self) -> Result<Session, StoreError> {
        Ok(Session { store: self.clone(), _lock: Arc::new(self.lock_blobs(Lock::Shared)?) })
    }
}

impl Session {
    /// The store.
    pub fn store(&self) -> &ImageStore {
        &self.store
    }

    /// Whether the blob is there.
    pub fn has(&self, digest: Digest) -> bool {
        self.store.blob(digest).is_file()
    }

    /// Add the blob that `input` gives, from `origin` (for messages), unless it is there. Nothing stays of one whose
    /// digest or length is not the promised one.
    pub fn put_blob(
        &self,
        input: impl Read,
        promised: (Digest, u64),
        origin: &str,
    ) -> Result<(), StoreError> {
        if self.has(promised.0) {
            return Ok(());
        }
        // One byte more shows that there is more.
        let aside = self.receive(input.take(promised.1.saturating_add(1)), origin)?;
        let blob = promised.0.to_string();
        check(promised, aside.1).map_err(|source| StoreError::Mismatch {
            origin: origin.to_owned(),
            blob,
            source,
        })?;
        self.keep(aside)?;
        Ok(())
    }

    /// Add whatever `input` gives; its digest and length.
    pub fn put(&self, input: impl Read, origin: &str) -> Result<(Digest, u64), StoreError> {
        self.keep(self.receive(input, origin)?)
    }

    /// Put images, all of whose blobs are there, into the index under their names.
    pub fn add(&self, images: &[(Descriptor, Option<Name>)]) -> Result<(), StoreError> {
        self.store.update(|entries| {
            for (manifest, name) in images {
                index::set_name(entries, manifest, name.as_ref());
            }
            Ok(())
        })
    }

    fn receive(
        &self,
        input: impl Read,
        origin: &str,
    ) -> Result<(AtomicFile, (Digest, u64)), StoreError> {
        let ingest = self.store.ingest();
        let mut aside = AtomicFile::new(&ingest).map_err(failed("write", &ingest))?;
        let mut input = DigestReader::new(input);
        copy(&mut input, &mut aside.file, u64::MAX, &mut vec![0; CHUNK]).map_err(|error| {
            match error {
                CopyError::Write(source) => failed("write", &ingest)(source),
                CopyError::Read(source) => {
                    let (origin, blob) = (origin.to_owned(), "contents".to_owned());
                    StoreError::ReadBlob { origin, blob, source }
                }
            }
        })?;
        Ok((aside, input.finish()))
    }

    fn keep(&self, received: (AtomicFile, (Digest, u64))) -> Result<(Digest, u64), StoreError> {
        let (aside, found) = received;
        let path = self.store.blob(found.0);
        if !path.is_file() {
            aside.commit(&path).map_err(failed("write", &path))?;
        }
        Ok(found)
    }
}
