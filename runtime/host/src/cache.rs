//! The cache: files that can be made again, named by what they hold.
//!
//! `$XDG_CACHE_HOME/bulkhead`, else `~/.cache/bulkhead`:
//!
//! | folder | holds | named by |
//! |---|---|---|
//! | `blobs/` | one layer's file data, each file at a page boundary | the layer |
//! | `indexes/` | one layer's entries; it is there when the layer is complete | the layer |
//! | `held/` | nothing: which bytes of which image are those of a layer | the state of a file of the image, and the layer |
//! | `images/` | one image's EROFS metadata | its layers |
//! | `kernels/` | a guest kernel, decompressed; those that `cargo xtask` builds (`own/`) and downloads | the compressed file |
//! | `initramfs/` | guest-init and modules | the state of their files |
//!
//! A file is written aside under `NAME.BOOT.partial`, made durable and renamed: under its own name it is whole. The
//! writer holds a lock on the partial file, so a second writer of the same file waits and then finds it done.
//! A partial file without a lock is left over from a process that died; the next start removes it.
//!
//! The notes in `held/` are of images that may be gone, which nobody tells the cache. So the next start removes those that were
//! not used for longest, once there are too many.
//!
//! Kernels that share the file system, as emulated hosts do, need not see each other's locks. So BOOT is the running kernel's
//! (random(4), `boot_id`): two of them may write the same file aside, but never into one, and what another one left goes
//! when it has not been written to for a day.

mod notes;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use thiserror::Error;

use crate::home;

/// The end of the name of a file that is being written.
const PARTIAL: &str = ".partial";

/// The running kernel's identity.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// How long a file that another kernel's process writes may stay as it is.
const FORSAKEN: Duration = Duration::from_secs(24 * 60 * 60);

/// What goes wrong with the cache, and where.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum CacheError {
    #[error("no place for the cache: set XDG_CACHE_HOME or HOME to an absolute path")]
    NoHome,
    #[error("cannot {action} {path} in the cache")]
    Io { action: &'static str, path: PathBuf, source: io::Error },
}

/// The folders of the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Folder {
    Blobs,
    Indexes,
    Held,
    Images,
    Kernels,
    Initramfs,
}

impl Folder {
    const ALL: [Self; 6] =
        [Self::Blobs, Self::Indexes, Self::Held, Self::Images, Self::Kernels, Self::Initramfs];

    fn name(self) -> &'static str {
        match self {
            Self::Blobs => "blobs",
            Self::Indexes => "indexes",
            Self::Held => "held",
            Self::Images => "images",
            Self::Kernels => "kernels",
            Self::Initramfs => "initramfs",
        }
    }
}

/// The folder of this user's cache, there or not.
pub fn folder() -> Result<PathBuf, CacheError> {
    home::folder("XDG_CACHE_HOME", ".cache").ok_or(CacheError::NoHome)
}

/// An open cache.
#[derive(Clone, Debug)]
pub struct Cache {
    root: PathBuf,
}

/// A file of the cache: there, or to be made by the caller.
pub enum Entry {
    /// It is there.
    Ready(PathBuf),
    /// It is not, and nobody else is making it.
    Missing(Pending),
}

/// A file that is being written aside. Dropped before [`Pending::commit`], it leaves nothing behind.
pub struct Pending {
    /// The file to write.
    pub file: File,
    partial: PathBuf,
    path: PathBuf,
    committed: bool,
}

impl Cache {
    /// The cache of this user.
    pub fn open_default() -> Result<Self, CacheError> {
        Self::open(folder()?)
    }

    /// The cache at `root`, made if it is not there. Layers may hold other people's secrets: only its owner
    /// can look into it.
    pub fn open(root: PathBuf) -> Result<Self, CacheError> {
        let cache = Self { root };
        for folder in Folder::ALL {
            let path = cache.root.join(folder.name());
            let mut builder = fs::DirBuilder::new();
            builder.recursive(true).mode(0o700).create(&path).map_err(failed("make", &path))?;
        }
        cache.sweep();
        cache.sweep_notes();
        Ok(cache)
    }

    /// The file called `key`, or the right to make it. Waits for another process that is making it.
    pub fn entry(&self, folder: Folder, key: &str) -> Result<Entry, CacheError> {
        let path = self.path(folder, key);
        loop {
            if path.is_file() {
                return Ok(Entry::Ready(path));
            }
            if let Some(pending) = self.begin(&path)? {
                // Another process may have finished it between the look and the lock.
                if !path.is_file() {
                    return Ok(Entry::Missing(pending));
                }
            }
        }
    }

    /// Make the file called `key` whether or not it is there.
    pub fn replace(&self, folder: Folder, key: &str) -> Result<Pending, CacheError> {
        let path = self.path(folder, key);
        loop {
            if let Some(pending) = self.begin(&path)? {
                return Ok(pending);
            }
        }
    }

    /// Where the file called `key` is or would be.
    pub fn path(&self, folder: Folder, key: &str) -> PathBuf {
        self.root.join(folder.name()).join(key)
    }

    /// An unnamed file in the cache's file system, gone when it is closed.
    pub fn scratch_file(&self) -> Result<File, CacheError> {
        tempfile::tempfile_in(&self.root).map_err(failed("make a temporary file in", &self.root))
    }

    /// Open and lock the partial file; `None` when it changed hands meanwhile.
    fn begin(&self, path: &Path) -> Result<Option<Pending>, CacheError> {
        let mut partial = path.as_os_str().to_owned();
        partial.push(own_ending());
        let partial = PathBuf::from(partial);
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).open(&partial);
        let file = file.map_err(failed("make", &partial))?;
        flock(&file, FlockOperation::LockExclusive)
            .map_err(|error| failed("lock", &partial)(error.into()))?;
        if !is_at(&file, &partial) {
            return Ok(None);
        }
        let pending = Pending { file, partial, path: path.to_owned(), committed: false };
        pending.file.set_len(0).map_err(failed("empty", &pending.partial))?;
        Ok(Some(pending))
    }

    /// Remove what dead processes left half written. A failure here costs disk space, not correctness.
    fn sweep(&self) {
        for folder in Folder::ALL {
            let Ok(entries) = fs::read_dir(self.root.join(folder.name())) else { continue };
            for path in entries.flatten().map(|entry| entry.path()) {
                let name = path.to_string_lossy();
                if name.ends_with(PARTIAL) && (name.ends_with(&own_ending()) || is_forsaken(&path))
                {
                    remove_if_abandoned(&path);
                }
            }
        }
    }
}

impl Pending {
    /// Make the file durable and give it its name.
    pub fn commit(mut self) -> Result<PathBuf, CacheError> {
        self.file.sync_all().map_err(failed("write", &self.path))?;
        fs::rename(&self.partial, &self.path).map_err(failed("name", &self.path))?;
        self.committed = true;
        if let Some(folder) = self.path.parent() {
            let sync = File::open(folder).and_then(|folder| folder.sync_all());
            sync.map_err(failed("write", folder))?;
        }
        Ok(self.path.clone())
    }

    /// An error of writing this file.
    pub fn failed(&self, source: io::Error) -> CacheError {
        CacheError::Io { action: "write", path: self.path.clone(), source }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if !self.committed {
            // Still locked, so this is our own; whoever waits for it notices and starts anew.
            let _ = fs::remove_file(&self.partial);
        }
    }
}

/// The end of the names of files that processes of this kernel are writing.
fn own_ending() -> String {
    let boot = fs::read_to_string(BOOT_ID).unwrap_or_default();
    format!(".{}{PARTIAL}", boot.trim_end())
}

fn is_forsaken(path: &Path) -> bool {
    let age = fs::metadata(path).and_then(|metadata| metadata.modified());
    age.is_ok_and(|written| written.elapsed().is_ok_and(|age| age > FORSAKEN))
}

fn remove_if_abandoned(path: &Path) {
    let Ok(file) = File::open(path) else { return };
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() && is_at(&file, path) {
        let _ = fs::remove_file(path);
    }
}

/// Whether the open file is still the one with this name.
fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(open), Ok(named)) => (open.dev(), open.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

fn failed<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> CacheError + 'a {
    move |source| CacheError::Io { action, path: path.to_owned(), source }
}
