//! The archive that a person has for a container, on its way there.

use std::io::{self, Read, Write};

use images::tar::{Kind, Member, Reader, Stream};
use protocol::archive::{Builder, Entry, EntryType};

/// Writes each member of `archive` as the guest reads it: what GNU tar alone writes, sparse files above all, in POSIX's
/// form.
pub(super) fn expand(archive: impl Read, out: impl Write) -> io::Result<()> {
    let mut reader = Reader::new(Stream(archive));
    let mut expanded = Builder::new(out);
    while let Some(member) = reader.next_member().map_err(io::Error::other)? {
        entry(&member)?.append(&mut expanded, member.size, (&mut reader).take(member.size))?;
    }
    // Whoever writes it shall not find the stream closed before its end.
    io::copy(&mut reader.into_inner().0, &mut io::sink())?;
    expanded.into_inner()?.flush()
}

fn entry(member: &Member) -> io::Result<Entry> {
    let kind = match member.kind {
        Kind::File => EntryType::Regular,
        Kind::HardLink => EntryType::Link,
        Kind::Symlink => EntryType::Symlink,
        Kind::Character { .. } => EntryType::Char,
        Kind::Block { .. } => EntryType::Block,
        Kind::Directory => EntryType::Directory,
        Kind::Fifo => EntryType::Fifo,
    };
    let mut entry = Entry::new(kind, &member.name, member.mode);
    entry.owner(member.uid, member.gid);
    entry.changed(member.mtime.seconds, member.mtime.nanos);
    if matches!(member.kind, Kind::HardLink | Kind::Symlink) {
        entry.link(&member.link);
    }
    if let Kind::Character { major, minor } | Kind::Block { major, minor } = member.kind {
        entry.device(major, minor)?;
    }
    for (name, value) in &member.xattrs {
        entry.attribute(&String::from_utf8_lossy(name), value);
    }
    Ok(entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The types, names and data of an archive's entries, read by another reader.
    fn entries(archive: &[u8]) -> Vec<(EntryType, String, String)> {
        let mut expanded = Vec::new();
        expand(archive, &mut expanded).unwrap();
        let mut archive = tar::Archive::new(&expanded[..]);
        let entries = archive.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            let mut data = String::new();
            entry.read_to_string(&mut data).unwrap();
            let name = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
            if let Some(target) = entry.link_name_bytes() {
                data = String::from_utf8(target.into_owned()).unwrap();
            }
            (entry.header().entry_type(), name, data)
        });
        entries.collect()
    }

    #[test]
    fn sparse_files_are_expanded() {
        // GNU tar's version 1.0: the map is in the data, up to a record's end (manual, "PAX Format, Version 1.0").
        let mut archive = tar::Builder::new(Vec::new());
        archive
            .append_pax_extensions([
                ("GNU.sparse.major", &b"1"[..]),
                ("GNU.sparse.minor", b"0"),
                ("GNU.sparse.name", b"file"),
                ("GNU.sparse.realsize", b"2000"),
            ])
            .unwrap();
        let mut data = b"1\n1000\n4\n".to_vec();
        data.resize(512, 0);
        data.extend(b"text");
        let mut header = tar::Header::new_ustar();
        header.set_path("GNUSparseFile.0/file").unwrap();
        header.set_size(data.len() as u64);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_cksum();
        archive.append(&header, &data[..]).unwrap();
        let wanted = format!("{}text{}", "\0".repeat(1000), "\0".repeat(996));
        let archive = archive.into_inner().unwrap();
        assert_eq!(entries(&archive), [(EntryType::Regular, "file".to_owned(), wanted)]);
    }

    #[test]
    fn every_other_member_stays_what_it_is() {
        let long = "n".repeat(150);
        let mut archive = tar::Builder::new(Vec::new());
        let mut add = |kind: EntryType, name: &str, target: &str| {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(kind);
            header.set_mode(0o4711);
            header.set_uid(3_000_000);
            header.set_gid(7);
            header.set_mtime(1_000_000_000);
            header.set_size(0);
            if kind.is_hard_link() || kind.is_symlink() {
                archive.append_link(&mut header, name, target).unwrap();
            } else {
                archive.append_data(&mut header, name, io::empty()).unwrap();
            }
        };
        let members = [
            (EntryType::Directory, "d/", ""),
            (EntryType::Regular, &long, ""),
            (EntryType::Link, "d/hard", &long),
            (EntryType::Symlink, "d/soft", "../d/x"),
            (EntryType::Fifo, "pipe", ""),
        ];
        for (kind, name, target) in members {
            add(kind, name, target);
        }
        let archive = archive.into_inner().unwrap();
        let wanted = members.map(|(kind, name, data)| (kind, name.to_owned(), data.to_owned()));
        assert_eq!(entries(&archive), wanted);
        let mut expanded = Vec::new();
        expand(&archive[..], &mut expanded).unwrap();
        let mut expanded = tar::Archive::new(&expanded[..]);
        for entry in expanded.entries().unwrap() {
            let header = entry.unwrap().header().clone();
            let found = (header.mode().unwrap(), header.uid().unwrap(), header.gid().unwrap());
            assert_eq!((found, header.mtime().unwrap()), ((0o4711, 3_000_000, 7), 1_000_000_000));
        }
        // What is cut, or none.
        for wrong in [&archive[..700], &b"text".repeat(200)] {
            expand(wrong, io::sink()).unwrap_err();
        }
    }
}
