//! Tar archives of files, as `cp` sends them either way and to its standard output.
//!
//! They are pax archives (POSIX.1-2001), which every reader of today takes: what does not fit in a header, such as a long name, is
//! in a record of its own, and no entry has a type that only GNU tar knows. Files with holes are archived at full length, as
//! docker's are; who unpacks them makes the holes again.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{OFlags, lgetxattr};
use tar::{Builder, EntryType, Header};

/// The file capabilities of a program (capabilities(7)): the one attribute that docker's archives have (moby
/// `ReadSecurityXattrToTarHeader`).
const CAPABILITY: &str = "security.capability";

/// Before an attribute's name in a pax record, as star, GNU tar and docker have it.
pub const ATTRIBUTE: &str = "SCHILY.xattr.";

/// The longest value of [`CAPABILITY`]: `struct vfs_ns_cap_data` (Linux `include/uapi/linux/capability.h`).
const LONGEST_CAPABILITY: usize = 24;

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
        if metadata.is_dir() && enters(path, &metadata)? {
            for entry in fs::read_dir(path)? {
                let entry = entry?;
                pending.push((entry.path(), name.join(entry.file_name())));
            }
        }
        self.append(path, name, &metadata)
    }

    fn append(&mut self, path: &Path, name: &Path, metadata: &Metadata) -> io::Result<()> {
        let kind = metadata.file_type();
        if kind.is_socket() {
            return Ok(());
        }
        let mut entry = Entry::new(name, metadata);
        if self.owner == Owner::Root {
            entry.header.set_uid(0);
            entry.header.set_gid(0);
        }
        let file_id = (metadata.dev(), metadata.ino());
        let has_names = !kind.is_dir() && metadata.nlink() > 1;
        if has_names && let Some(first) = self.names.get(&file_id) {
            entry.header.set_entry_type(EntryType::Link);
            entry.link(first.as_os_str());
            return entry.append(&mut self.archive, 0, io::empty());
        }
        if kind.is_symlink() {
            entry.link(fs::read_link(path)?.as_os_str());
            entry.append(&mut self.archive, 0, io::empty())?;
        } else if kind.is_file() {
            let file = open(path)?;
            if let Some(value) = capability(path) {
                entry.records.push((format!("{ATTRIBUTE}{CAPABILITY}"), value));
            }
            // As long as the header says, however it grows or shrinks meanwhile.
            let size = metadata.len();
            let data = file.take(size).chain(io::repeat(0)).take(size);
            entry.append(&mut self.archive, size, data)?;
        } else {
            if kind.is_char_device() || kind.is_block_device() {
                entry.header.set_device_major(rustix::fs::major(metadata.rdev()))?;
                entry.header.set_device_minor(rustix::fs::minor(metadata.rdev()))?;
            }
            entry.append(&mut self.archive, 0, io::empty())?;
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
    Some(value[..len].to_vec())
}

/// An entry that is not written yet.
struct Entry {
    header: Header,
    records: Vec<(String, Vec<u8>)>,
}

impl Entry {
    fn new(name: &Path, metadata: &Metadata) -> Self {
        let mut header = Header::new_ustar();
        header.set_metadata(metadata);
        let mut records = Vec::new();
        if header.set_path(name).is_err() {
            records.push(("path".to_owned(), name.as_os_str().as_bytes().to_vec()));
        }
        Self { header, records }
    }

    fn link(&mut self, target: &OsStr) {
        if self.header.set_link_name_literal(target.as_bytes()).is_err() {
            self.records.push(("linkpath".to_owned(), target.as_bytes().to_vec()));
        }
    }

    fn append<W: Write>(
        mut self,
        archive: &mut Builder<W>,
        size: u64,
        data: impl Read,
    ) -> io::Result<()> {
        self.header.set_size(size);
        self.header.set_cksum();
        if !self.records.is_empty() {
            archive.append_pax_extensions(
                self.records.iter().map(|(key, value)| (key.as_str(), value.as_slice())),
            )?;
        }
        archive.append(&self.header, data)
    }
}

#[cfg(test)]
mod tests;
