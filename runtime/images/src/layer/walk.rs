//! A plain directory as a layer.
//!
//! Symbolic links are data and never followed; the walk stays in the file system that it started in, so
//! a `/proc` or a volume mounted in the directory appears as the empty directory under it.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;

use rustix::fs::{lgetxattr, llistxattr};
use sha2::{Digest as _, Sha256};

use super::blob::Blob;
use super::entry::{check_device, keep_xattrs, metadata_len};
use super::limits::Meter;
use super::{Layer, LayerError, Limits};
use crate::copy::CopyError;
use crate::holes::Room;
use crate::tar::Time;
use crate::tree::{Kind, Meta, Node, NodeId, Tree, components};
use host::digest::Digest;
use host::stamp::{CLOCK_TICK, stamp};
use host::text::printable;

/// One thing found on the walk.
struct Found {
    /// Below the starting point; empty for the starting point itself.
    name: Vec<u8>,
    host: PathBuf,
    metadata: Metadata,
}

/// What a walk finds: every name with its metadata, in a fixed order, parents first.
pub struct Walked {
    root: PathBuf,
    found: Vec<Found>,
}

impl Walked {
    /// Walk the directory.
    pub fn new(root: &Path, limits: Limits) -> Result<Self, LayerError> {
        let mut meter = Meter::new(limits);
        let mut found = Vec::new();
        let metadata = fs::metadata(root).map_err(host(root))?;
        let device = metadata.dev();
        let mut pending = vec![Found { name: Vec::new(), host: root.to_owned(), metadata }];
        while let Some(next) = pending.pop() {
            let limit = |source| LayerError::Limit { entry: printable(&next.name), source };
            meter.count_entry(next.name.len()).map_err(limit)?;
            if next.metadata.is_dir() && next.metadata.dev() == device {
                pending.extend(list(&next)?.into_iter().rev());
            }
            found.push(next);
        }
        Ok(Self { root: root.to_owned(), found })
    }
}

/// The entries of a directory, sorted.
fn list(directory: &Found) -> Result<Vec<Found>, LayerError> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(&directory.host).map_err(host(&directory.host))? {
        let path = entry.map_err(host(&directory.host))?.path();
        let metadata = fs::symlink_metadata(&path).map_err(host(&path))?;
        let mut name = directory.name.clone();
        if !name.is_empty() {
            name.push(b'/');
        }
        name.extend(path.file_name().unwrap_or_default().as_bytes());
        components(&name).map_err(|source| LayerError::Name { entry: printable(&name), source })?;
        entries.push(Found { name, host: path, metadata });
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

/// A digest that changes whenever something in the directory does.
pub fn fingerprint(walked: &Walked) -> Digest {
    let mut hash = Sha256::new();
    for Found { name, metadata, .. } in &walked.found {
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name);
        stamp(metadata).iter().for_each(|number| hash.update(number.to_le_bytes()));
    }
    Digest(hash.finalize().into())
}

/// Unpack the directory like a layer: file data into `out`, entries into the returned tree.
pub fn unpack_directory<W: Room>(
    walked: &Walked,
    out: W,
    meter: &mut Meter,
) -> Result<Layer, LayerError> {
    // A change within one tick of the clock after another leaves no trace: let the tick of the walk pass, so that
    // whatever changes from here on shows in the second fingerprint.
    thread::sleep(CLOCK_TICK);
    let limits = meter.limits();
    let mut tree = Tree::bounded(limits.entries);
    let mut blob = Blob::new(out);
    let mut seen: HashMap<(u64, u64), NodeId> = HashMap::new();
    for found in &walked.found {
        let entry = printable(&found.name);
        let refused = |reason| LayerError::Refused { entry: entry.clone(), reason };
        let in_entry = |source| LayerError::Tree { entry: entry.clone(), source };
        let limit = |source| LayerError::Limit { entry: entry.clone(), source };
        let path = components(&found.name)
            .map_err(|source| LayerError::Name { entry: entry.clone(), source })?;
        let inode = (found.metadata.dev(), found.metadata.ino());
        if let Some(&first) = seen.get(&inode)
            && !found.metadata.is_dir()
        {
            tree.name(&path, first).map_err(in_entry)?;
            continue;
        }
        let mut xattrs = read_xattrs(&found.host)?;
        keep_xattrs(&mut xattrs).map_err(refused)?;
        let meta = meta(&found.metadata, xattrs);
        let kind = kind(found, &mut blob).map_err(|error| error.into_layer_error(&entry))?;
        let link: &[u8] = if let Some(Kind::Symlink(target)) = &kind { target } else { b"" };
        meter.count_entry(metadata_len(&found.name, link, &meta)).map_err(limit)?;
        meter.check_size(blob.len()).map_err(limit)?;
        let node = match kind {
            Some(kind) => Node { meta, kind },
            None => Node::directory(meta),
        };
        let id = tree.insert(&path, node).map_err(in_entry)?;
        seen.insert(inode, id);
    }
    // What changed under the walk would be kept in the cache under a name that says otherwise.
    if fingerprint(&Walked::new(&walked.root, limits)?) != fingerprint(walked) {
        return Err(LayerError::Changed { path: walked.root.clone() });
    }
    let blob_len = blob.finish().map_err(LayerError::Write)?;
    Ok(Layer { tree, blob_len })
}

fn meta(metadata: &Metadata, xattrs: BTreeMap<Vec<u8>, Vec<u8>>) -> Meta {
    let mtime = Time { seconds: metadata.mtime(), nanos: metadata.mtime_nsec() as u32 };
    Meta { mode: metadata.mode() & 0o7777, uid: metadata.uid(), gid: metadata.gid(), mtime, xattrs }
}

/// Why an entry's contents cannot be taken over.
enum KindError {
    Host(PathBuf, io::Error),
    Write(io::Error),
    Changed(PathBuf),
    Refused(String),
}

impl KindError {
    fn into_layer_error(self, entry: &str) -> LayerError {
        match self {
            Self::Host(path, source) => LayerError::Host { path, source },
            Self::Write(source) => LayerError::Write(source),
            Self::Changed(path) => LayerError::Changed { path },
            Self::Refused(reason) => LayerError::Refused { entry: entry.to_owned(), reason },
        }
    }
}

/// What the thing is, with a file's data copied; `None` for a directory.
fn kind<W: Room>(found: &Found, blob: &mut Blob<W>) -> Result<Option<Kind>, KindError> {
    let file_type = found.metadata.file_type();
    let device = || {
        let rdev = found.metadata.rdev();
        let (major, minor) = (rustix::fs::major(rdev), rustix::fs::minor(rdev));
        check_device(major, minor).map(|()| (major, minor)).map_err(KindError::Refused)
    };
    let failed = |source| KindError::Host(found.host.clone(), source);
    Ok(Some(if file_type.is_dir() {
        return Ok(None);
    } else if file_type.is_file() {
        let mut file = open(found).map_err(failed)?;
        let size = found.metadata.size();
        let extent = blob.append(&mut file, size).map_err(|error| match error {
            CopyError::Read(source) => failed(source),
            CopyError::Write(source) => KindError::Write(source),
        })?;
        if extent.size != size {
            return Err(KindError::Changed(found.host.clone()));
        }
        Kind::File(extent)
    } else if file_type.is_symlink() {
        Kind::Symlink(fs::read_link(&found.host).map_err(failed)?.into_os_string().into_vec())
    } else if file_type.is_char_device() {
        device().map(|(major, minor)| Kind::Character(major, minor))?
    } else if file_type.is_block_device() {
        device().map(|(major, minor)| Kind::Block(major, minor))?
    } else if file_type.is_fifo() {
        Kind::Fifo
    } else {
        Kind::Socket
    }))
}

/// Open the file that was found, not what somebody put in its place meanwhile.
fn open(found: &Found) -> io::Result<File> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    fs::OpenOptions::new().read(true).custom_flags(flags).open(&found.host)
}

fn read_xattrs(path: &Path) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, LayerError> {
    /// Linux `XATTR_LIST_MAX` and `XATTR_SIZE_MAX`: no list and no value is longer.
    const MAX: usize = 65536;
    let failed = |error: rustix::io::Errno| host(path)(error.into());
    let mut names = vec![0; MAX];
    let len = match llistxattr(path, &mut names[..]) {
        Ok(len) => len,
        // A file system without extended attributes has none.
        Err(rustix::io::Errno::NOTSUP) => 0,
        Err(error) => return Err(failed(error)),
    };
    let mut xattrs = BTreeMap::new();
    let mut value = if len > 0 { vec![0; MAX] } else { Vec::new() };
    for name in names[..len].split(|&byte| byte == 0).filter(|name| !name.is_empty()) {
        let len = lgetxattr(path, name, &mut value[..]).map_err(failed)?;
        xattrs.insert(name.to_vec(), value[..len].to_vec());
    }
    Ok(xattrs)
}

fn host(path: &Path) -> impl FnOnce(io::Error) -> LayerError {
    let path = path.to_owned();
    move |source| LayerError::Host { path, source }
}
