//! An entry of an archive, as POSIX.1-2001 has it: what a header has no room for is in a pax record before it.

use std::io::{self, Read, Write};

use rustix::fs::FileType;
use tar::{Builder, EntryType, Header};

use super::ATTRIBUTE;

/// The longest name of a header, without its prefix (POSIX.1-1988 ustar, `name` and `linkname`).
const LONGEST_NAME: usize = 100;

/// What seven octal digits say (ustar, `uid` and `gid`).
const MOST_ID: u32 = 0o777_7777;

/// What eleven say (ustar, `size` and `mtime`).
const MOST_NUMBER: u64 = 0o777_7777_7777;

/// An entry that is not written yet.
pub struct Entry {
    header: Header,
    records: Vec<(String, Vec<u8>)>,
}

impl Entry {
    /// A file of this kind, or a hard link, of user and group 0, from the start of 1970. A folder's name ends with a `/`.
    #[must_use]
    pub fn new(kind: EntryType, name: &[u8], mode: u32) -> Self {
        let mut entry = Self { header: Header::new_ustar(), records: Vec::new() };
        entry.header.set_entry_type(kind);
        entry.header.set_mode(mode & 0o7777);
        entry.owner(0, 0);
        entry.changed(0, 0);
        match name.len() {
            0..=LONGEST_NAME => entry.header.as_old_mut().name[..name.len()].copy_from_slice(name),
            _ => entry.record("path", name),
        }
        entry
    }

    /// What kind of entry a kind of file is; a socket is none.
    #[must_use]
    pub fn kind(file: FileType) -> Option<EntryType> {
        Some(match file {
            FileType::RegularFile => EntryType::Regular,
            FileType::Directory => EntryType::Directory,
            FileType::Symlink => EntryType::Symlink,
            FileType::Fifo => EntryType::Fifo,
            FileType::CharacterDevice => EntryType::Char,
            FileType::BlockDevice => EntryType::Block,
            _ => return None,
        })
    }

    /// Who it belongs to, by number.
    pub fn owner(&mut self, user: u32, group: u32) {
        for (key, id) in [("uid", user), ("gid", group)] {
            if id > MOST_ID {
                self.record(key, id.to_string().as_bytes());
            }
        }
        self.header.set_uid(if user > MOST_ID { 0 } else { user.into() });
        self.header.set_gid(if group > MOST_ID { 0 } else { group.into() });
    }

    /// When it was changed last, since 1970; `nanos` counts forward also from a negative second.
    pub fn changed(&mut self, seconds: i64, nanos: u32) {
        match u64::try_from(seconds) {
            Ok(time) if time <= MOST_NUMBER && nanos == 0 => return self.header.set_mtime(time),
            _ => {}
        }
        // A record counts away from zero (POSIX.1-2001 pax, "pax Extended Header File Times").
        let (sign, whole, part) = match seconds < 0 && nanos > 0 {
            true => ("-", (seconds + 1).unsigned_abs(), 1_000_000_000 - nanos),
            false => (if seconds < 0 { "-" } else { "" }, seconds.unsigned_abs(), nanos),
        };
        let fraction = if part > 0 { format!(".{part:09}") } else { String::new() };
        self.record("mtime", format!("{sign}{whole}{fraction}").as_bytes());
    }

    /// What a link refers to.
    pub fn link(&mut self, target: &[u8]) {
        match target.len() {
            0..=LONGEST_NAME => {
                self.header.as_old_mut().linkname[..target.len()].copy_from_slice(target);
            }
            _ => self.record("linkpath", target),
        }
    }

    /// Which device it is.
    ///
    /// # Errors
    /// Not in a header of this kind.
    pub fn device(&mut self, major: u32, minor: u32) -> io::Result<()> {
        self.header.set_device_major(major)?;
        self.header.set_device_minor(minor)
    }

    /// An extended attribute by its full name.
    pub fn attribute(&mut self, name: &str, value: &[u8]) {
        self.record(&format!("{ATTRIBUTE}{name}"), value);
    }

    fn record(&mut self, key: &str, value: &[u8]) {
        self.records.push((key.to_owned(), value.to_vec()));
    }

    /// Writes it, with `size` bytes of `data`.
    ///
    /// # Errors
    /// `data` can't be read, or the archive not written.
    pub fn append<W: Write>(
        mut self,
        archive: &mut Builder<W>,
        size: u64,
        data: impl Read,
    ) -> io::Result<()> {
        if size > MOST_NUMBER {
            self.record("size", size.to_string().as_bytes());
        }
        self.header.set_size(if size > MOST_NUMBER { 0 } else { size });
        self.header.set_cksum();
        if !self.records.is_empty() {
            archive.append_pax_extensions(
                self.records.iter().map(|(key, value)| (key.as_str(), value.as_slice())),
            )?;
        }
        archive.append(&self.header, data)
    }
}
