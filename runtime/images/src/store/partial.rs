//! Blobs that come in pieces. When the last pieces do not come, the first ones stay, for who asks for the blob next.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::PathBuf;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::error::failed;
use super::{Session, StoreError, file};
use crate::image::files::check;
use host::digest::{Digest, DigestReader, Mismatch};

/// The first bytes of a blob. No other process adds to them while this lives.
#[derive(Debug)]
pub struct Partial {
    file: File,
    path: PathBuf,
    length: u64,
    promised: (Digest, u64),
    /// It was taken away from `path`.
    gone: bool,
}

impl Session {
    /// Begin with a blob of that digest and length, or go on with it; `None` while another process does.
    pub fn partial(&self, promised: (Digest, u64)) -> Result<Option<Partial>, StoreError> {
        let path = self.store().ingest().join(format!("{}.partial", promised.0.hex()));
        loop {
            let mut options = File::options();
            let file = options.create(true).read(true).append(true).mode(0o600).open(&path);
            let file = file.map_err(failed("open", &path))?;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => return Ok(None),
                Err(error) => return Err(failed("lock", &path)(error.into())),
            }
            let metadata = file.metadata().map_err(failed("read", &path))?;
            // Who had the lock before may have finished the blob or removed it.
            if fs::metadata(&path).is_ok_and(|there| there.ino() == metadata.ino()) {
                let length = metadata.len();
                let mut partial = Partial { file, path, length, promised, gone: false };
                if length > promised.1 {
                    partial.restart()?;
                }
                return Ok(Some(partial));
            }
        }
    }
}

impl Partial {
    /// How many bytes there are, at most as many as are promised.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Whether all bytes are there.
    pub fn is_whole(&self) -> bool {
        self.length == self.promised.1
    }

    /// Begin again.
    pub fn restart(&mut self) -> Result<(), StoreError> {
        self.file.set_len(0).map_err(failed("write", &self.path))?;
        self.length = 0;
        Ok(())
    }

    /// Add the next bytes, from `origin` (for messages). Nothing stays of a blob that is longer than promised.
    pub fn append(&mut self, bytes: &[u8], origin: &str) -> Result<(), StoreError> {
        let length = self.length.saturating_add(bytes.len() as u64);
        if length > self.promised.1 {
            self.restart()?;
            return Err(
                self.mismatch(origin, Mismatch::Size { expected: self.promised.1, actual: length })
            );
        }
        self.file.write_all(bytes).map_err(failed("write", &self.path))?;
        self.length = length;
        Ok(())
    }

    /// Check all that is there, and make it a blob of the store. Nothing stays of one that is not as promised.
    pub fn finish(mut self, session: &Session, origin: &str) -> Result<(), StoreError> {
        let file = File::open(&self.path).map_err(failed("open", &self.path))?;
        let mut reader = DigestReader::new(file);
        std::io::copy(&mut reader, &mut std::io::sink()).map_err(failed("read", &self.path))?;
        if let Err(source) = check(self.promised, reader.finish()) {
            self.restart()?;
            return Err(self.mismatch(origin, source));
        }
        let blob = session.store().blob(self.promised.0);
        file::commit(&self.file, &self.path, &blob).map_err(failed("write", &blob))?;
        self.gone = true;
        Ok(())
    }

    fn mismatch(&self, origin: &str, source: Mismatch) -> StoreError {
        let blob = self.promised.0.to_string();
        StoreError::Mismatch { origin: origin.to_owned(), blob, source }
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // There is nothing to go on with.
        if self.length == 0 && !self.gone {
            let _ = file::remove(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::store::ImageStore;

    const ORIGIN: &str = "here";

    fn promised(blob: &[u8]) -> (Digest, u64) {
        (Digest::of(blob), blob.len() as u64)
    }

    proptest! {
        /// However often a blob is interrupted and whatever of it is wrong, it is kept whole or not at all, and nothing
        /// else stays when it is done.
        #[test]
        fn a_blob_in_pieces_is_whole_in_the_end(
            blob in prop::collection::vec(any::<u8>(), 0..300),
            pieces in prop::collection::vec((1usize..100, any::<bool>()), 0..12),
            more in prop::collection::vec(any::<u8>(), 0..3),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let store = ImageStore::open(folder.path().join("images")).unwrap();
            let session = store.session().unwrap();
            let mut partial = session.partial(promised(&blob)).unwrap().unwrap();
            prop_assert!(session.partial(promised(&blob)).unwrap().is_none());
            for (length, interrupted) in pieces {
                let start = partial.length() as usize;
                let end = blob.len().min(start + length);
                partial.append(&blob[start..end], ORIGIN).unwrap();
                if interrupted {
                    drop(partial);
                    partial = session.partial(promised(&blob)).unwrap().unwrap();
                }
                prop_assert_eq!(partial.length() as usize, end);
            }
            let rest = [&blob[partial.length() as usize..], &more].concat();
            let added = partial.append(&rest, ORIGIN);
            prop_assert_eq!(added.is_ok(), more.is_empty());
            match partial.finish(&session, ORIGIN) {
                Ok(()) => prop_assert_eq!(fs::read(store.blob(Digest::of(&blob))).unwrap(), blob),
                Err(_) => prop_assert!(!more.is_empty() && !session.has(Digest::of(&blob))),
            }
            prop_assert_eq!(fs::read_dir(store.ingest()).unwrap().count(), 0);
        }
    }

    #[test]
    fn a_partial_blob_that_was_damaged_begins_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = ImageStore::open(folder.path().join("images")).unwrap();
        let session = store.session().unwrap();
        let promised = promised(b"whole");
        let mut partial = session.partial(promised).unwrap().unwrap();
        partial.append(b"who", ORIGIN).unwrap();
        let path = partial.path.clone();
        drop(partial);
        fs::write(&path, b"longer than promised").unwrap();
        assert_eq!(session.partial(promised).unwrap().unwrap().length(), 0);
        fs::write(&path, b"wrong").unwrap();
        let partial = session.partial(promised).unwrap().unwrap();
        assert!(partial.is_whole() && partial.finish(&session, ORIGIN).is_err());
        assert!(!path.exists() && !session.has(promised.0));
    }
}
