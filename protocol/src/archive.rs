//! Tar archives of files, as `cp` sends them either way and to its standard output.
//!
//! They are pax archives (POSIX.1-2001), which every reader of today takes: what does not fit in a header, such as a long
//! name, is in a record of its own, and no entry has a type or a number that only GNU tar knows. Files with holes are
//! archived at full length, as docker's are; who unpacks them makes the holes again.

mod entry;

use std::collections::HashMap;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

pub use entry::Entry;
use rustix::fs::{FileType, OFlags, lgetxattr};
pub use tar::{Builder, EntryType};

/// The file capabilities of a program (capabilities(7)): the one attribute that docker's archives have (moby
/// `ReadSecurityXattrToTarHeader`).
const CAPABILITY: &str = "security.capability";

/// Before an attribute's name in a pax record, as star, GNU tar and docker have it.
pub const ATTRIBUTE: &str = "SCHILY.xattr.";

/// The longest value of [`CAPABILITY`]: `struct vfs_ns_cap_data` (Linux `include/uapi/linux/capability.h`).
const LONGEST_CAPABILITY: usize = 24;

/// The version of one that counts in a user namespace only, and of one that counts everywhere: the highest byte of a
/// little-endian number (`VFS_CAP_REVISION_3`, `VFS_CAP_REVISION_2` of the same file). The latter has `XATTR_CAPS_SZ_2`
/// bytes.
const CAPABILITY_3: u8 = 3;
const CAPABILITY_2: u8 = 2;
const CAPABILITY_2_LEN: usize = 20;

/// Who owns what is unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Who owns what is packed, by number.
    Source,
    /// User and group 0.
    Root,
}

/// Writes an archive.
pub struct Packer<W: Write> {
    archive: Builder<W>,
    owner: Owner,
    /// Device and inode of files with several names, and their first name here.
    names: HashMap<(u64, u64), PathBuf>,
}

impl<W: Write> Packer<W> {
    /// An archive without entries.
    pub fn new(out: W, owner: Owner) -> Self {
        Self { archive: Builder::new(out), owner, names: HashMap::new() }
    }

    /// Packs `source` as `name`: a link as a link, and a folder with all that is in it and in those of its folders that `enters`
    /// says. What goes away meanwhile is left out, and so are sockets, which are nothing without who made them.
    ///
    /// # Errors
    /// What can't be read, by its path, or written.
    pub fn pack(
        &mut self,
        source: &Path,
        name: &Path,
        enters: impl Fn(&Path, &Metadata) -> io::Result<bool>,
    ) -> io::Result<()> {
        let mut pending = vec![(source.to_owned(), name.to_owned())];
        while let Some((path, name)) = pending.pop() {
            let is_top = path.as_os_str() == source.as_os_str();
            match self.add(&path, &name, &mut pending, &enters) {
                Err(error) if is_top => return Err(error),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    let message = format!("{}: {error}", path.display());
                    return Err(io::Error::new(error.kind(), message));
                }
                Ok(()) => {}
            }
        }
        Ok(())
    }

    /// Marks the archive's end.
    ///
    /// # Errors
    /// It can't be written.
    pub fn finish(self) -> io::Result<()> {
        self.archive.into_inner()?.flush()
    }

    fn add(
        &mut self,
        path: &Path,
        name: &Path,
        pending: &mut Vec<(PathBuf, PathBuf)>,
        enters: &impl Fn(&Path, &Metadata) -> io::Result<bool>,
    ) -> io::Result<()> {
        let metadata = fs::symlink_metadata(path)?;
        self.append(path, name, &metadata)?;
        if metadata.is_dir() && enters(path, &metadata)? {
            let entries = fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.file_name()));
            let mut names = entries.collect::<io::Result<Vec<_>>>()?;
            // Two archives of the same files are the same; the last of `pending` is next.
            names.sort_unstable_by(|one, other| other.cmp(one));
            pending.extend(names.iter().map(|entry| (path.join(entry), name.join(entry))));
        }
        Ok(())
    }

    fn append(&mut self, path: &Path, name: &Path, metadata: &Metadata) -> io::Result<()> {
        let Some(kind) = Entry::kind(FileType::from_raw_mode(metadata.mode())) else {
            return Ok(());
        };
        let mut bytes = name.as_os_str().as_bytes().to_vec();
        if kind.is_dir() {
            bytes.push(b'/');
        }
        let file_id = (metadata.dev(), metadata.ino());
        let has_names = !kind.is_dir() && metadata.nlink() > 1;
        let first = self.names.get(&file_id).filter(|_| has_names);
        let kind = if first.is_some() { EntryType::Link } else { kind };
        let mut entry = Entry::new(kind, &bytes, metadata.mode());
        // In whole seconds, as docker has it.
        entry.changed(metadata.mtime(), 0);
        if self.owner == Owner::Source {
            entry.owner(metadata.uid(), metadata.gid());
        }
        if let Some(first) = first {
            entry.link(first.as_os_str().as_bytes());
            return entry.append(&mut self.archive, 0, io::empty());
        }
        match kind {
            EntryType::Regular => {
                let file = open(path)?;
                if let Some(value) = capability(path) {
                    entry.attribute(CAPABILITY, &value);
                }
                // As long as the header says, however it grows or shrinks meanwhile.
                let size = metadata.len();
                let data = file.take(size).chain(io::repeat(0)).take(size);
                entry.append(&mut self.archive, size, data)?;
            }
            EntryType::Symlink => {
                entry.link(fs::read_link(path)?.as_os_str().as_bytes());
                entry.append(&mut self.archive, 0, io::empty())?;
            }
            _ => {
                if matches!(kind, EntryType::Char | EntryType::Block) {
                    let number = metadata.rdev();
                    entry.device(rustix::fs::major(number), rustix::fs::minor(number))?;
                }
                entry.append(&mut self.archive, 0, io::empty())?;
            }
        }
        if has_names {
            self.names.insert(file_id, name.to_owned());
        }
        Ok(())
    }
}

/// Not through a link that has taken the file's place since it was looked at, and without waiting for the other end of a pipe.
fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

fn capability(path: &Path) -> Option<Vec<u8>> {
    let mut value = [0; LONGEST_CAPABILITY];
    let len = lgetxattr(path, CAPABILITY, &mut value).ok()?;
    let mut value = value[..len].to_vec();
    // As docker has it: the root user of a namespace is nobody elsewhere.
    if value.get(3) == Some(&CAPABILITY_3) {
        value.truncate(CAPABILITY_2_LEN);
        value[3] = CAPABILITY_2;
    }
    Some(value)
}

#[cfg(test)]
mod tests;
