//! The image store: images with names, kept until somebody removes them.
//!
//! `$XDG_DATA_HOME/bulkhead/images`, else `~/.local/share/bulkhead/images`, is an OCI image layout (OCI image
//! specification, "Image Layout"), so that other tools can read it:
//!
//! | file | holds |
//! |---|---|
//! | `oci-layout` | the layout's version |
//! | `index.json` | one entry for each name of an image, and one for an image without a name |
//! | `blobs/sha256/` | manifests, configurations and layers, each named by its digest |
//! | `ingest/` | what is being written, and blobs that were fetched in part, as `HEX.partial` |
//! | `blobs.lock` | held shared by who adds or reads blobs, exclusively by who removes them |
//! | `index.lock` | held exclusively by who changes `index.json` |
//!
//! A file is written in `ingest`, made durable and renamed. An image's blobs come before its entry and leave after it,
//! so an image in the index is whole, wherever a process dies; a blob without an image, whole or in part, is removed by
//! the next [`ImageStore::prune`]. Who needs both locks takes `blobs.lock` first.

mod blob;
mod error;
mod image;
mod index;
mod layer;
mod load;
mod name;
mod partial;
mod remove;
mod save;
#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

pub use blob::Session;
pub use error::StoreError;
pub use image::StoredImage;
pub use load::{Loaded, load};
pub use name::{Name, Version};
pub(crate) use partial::Partial;
pub use remove::{InUse, Pruned, Removed};
use rustix::fs::{FlockOperation, flock};
pub use save::{Format, save};

use crate::image::files::Files;
use error::failed;
use host::digest::Digest;
use host::{file, home};

/// "Image Layout", "oci-layout file".
const LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

const EMPTY_INDEX: &[u8] = br#"{"schemaVersion":2,"manifests":[]}"#;

/// An open image store.
#[derive(Clone, Debug)]
pub struct ImageStore {
    root: PathBuf,
}

/// Whether blobs may come or go while the lock is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lock {
    /// Blobs may come.
    Shared,
    /// Blobs may go; waits until nobody else holds the lock.
    Exclusive,
}

impl ImageStore {
    /// The store of this user.
    pub fn open_default() -> Result<Self, StoreError> {
        let data = home::folder("XDG_DATA_HOME", ".local/share").ok_or(StoreError::NoHome)?;
        Self::open(data.join("images"))
    }

    /// The store at `root`, made if it is not there. Only its owner can look into it.
    pub fn open(root: PathBuf) -> Result<Self, StoreError> {
        let store = Self { root };
        for folder in [store.blobs(), store.ingest()] {
            let mut builder = fs::DirBuilder::new();
            let made = builder.recursive(true).mode(0o700).create(&folder);
            made.map_err(failed("make", &folder))?;
        }
        for (name, text) in [("index.json", EMPTY_INDEX), ("oci-layout", LAYOUT)] {
            let path = store.root.join(name);
            if !path.exists() {
                let _lock = store.lock_index()?;
                // Another process may have made it meanwhile, and an index has more in it by now.
                if !path.exists() {
                    store.write(&path, text)?;
                }
            }
        }
        Ok(store)
    }

    /// The layout's folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The layout's files.
    pub(crate) fn files(&self) -> Files {
        Files::Directory(self.root.clone())
    }

    fn blobs(&self) -> PathBuf {
        self.root.join("blobs/sha256")
    }

    fn ingest(&self) -> PathBuf {
        self.root.join("ingest")
    }

    fn blob(&self, digest: Digest) -> PathBuf {
        self.blobs().join(digest.hex())
    }

    /// Replace a small file.
    fn write(&self, path: &Path, text: &[u8]) -> Result<(), StoreError> {
        let mut aside = file::AtomicFile::new(&self.ingest()).map_err(failed("write", path))?;
        let written = std::io::Write::write_all(&mut aside.file, text);
        written.and_then(|()| aside.commit(path)).map_err(failed("write", path))
    }

    fn lock_index(&self) -> Result<File, StoreError> {
        let (file, path) = self.lock_file("index.lock")?;
        let locked = flock(&file, FlockOperation::LockExclusive);
        locked.map_err(|error| failed("lock", &path)(error.into()))?;
        Ok(file)
    }

    fn lock_blobs(&self, lock: Lock) -> Result<File, StoreError> {
        let (file, path) = self.lock_file("blobs.lock")?;
        let operation = match lock {
            Lock::Shared => FlockOperation::LockShared,
            Lock::Exclusive => FlockOperation::LockExclusive,
        };
        flock(&file, operation).map_err(|error| failed("lock", &path)(error.into()))?;
        Ok(file)
    }

    /// The exclusive lock on the blobs, unless somebody holds it.
    fn try_lock_blobs(&self) -> Result<Option<File>, StoreError> {
        let (file, path) = self.lock_file("blobs.lock")?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(file)),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(failed("lock", &path)(error.into())),
        }
    }

    fn lock_file(&self, name: &str) -> Result<(File, PathBuf), StoreError> {
        let path = self.root.join(name);
        let mut options = File::options();
        let file = options.read(true).write(true).create(true).truncate(false).open(&path);
        Ok((file.map_err(failed("open", &path))?, path))
    }
}
