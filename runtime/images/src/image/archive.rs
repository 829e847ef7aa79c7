//! An image inside a tar: where its members are, so that each can be read without the others.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::error::ImageError;
use crate::limits;
use crate::tar::{Kind, RECORD, Reader, Seekable, TarError};
use crate::tree::relative;
use host::text::printable;

/// A tar with a table of its members.
#[derive(Debug)]
pub struct Archive {
    /// The file that the person named.
    pub path: PathBuf,
    /// The tar: that file, or what it was decompressed to.
    tar: File,
    /// The state of the file that the person named.
    pub stamp: [u64; 11],
    members: HashMap<Vec<u8>, Place>,
}

#[derive(Clone, Debug)]
enum Place {
    Data {
        start: u64,
        len: u64,
    },
    /// docker writes a layer that it has already written as a symbolic link.
    Link(Vec<u8>),
}

impl Archive {
    /// List the members of `tar`; `None` when there are too many, or too long names, for an image archive.
    pub fn list(path: &Path, tar: File, stamp: [u64; 11]) -> Result<Option<Self>, ImageError> {
        let open = |source| ImageError::Open { path: path.to_owned(), source };
        let bad = |source| ImageError::Archive { path: path.to_owned(), source };
        let file_len = tar.metadata().map_err(open)?.len();
        let mut reader = Reader::new(Seekable::new(tar.try_clone().map_err(open)?).map_err(open)?);
        let mut members = HashMap::new();
        let mut names = 0;
        while let Some(member) = reader.next_member().map_err(|error| match error {
            // Said for a whole tar, "no header" means that this is none.
            TarError::Checksum { offset: 0 } => not_an_image(path, &tar),
            TarError::CutHeader { offset } if offset < RECORD => not_an_image(path, &tar),
            error => bad(error),
        })? {
            let name = relative(&member.name).join(&b'/');
            let (start, end) = (reader.offset(), reader.offset().saturating_add(member.size));
            if end > file_len {
                let member = printable(&member.name);
                return Err(ImageError::CutMember {
                    path: path.to_owned(),
                    member,
                    start,
                    end,
                    len: file_len,
                });
            }
            for len in [member.name.len(), member.link.len()] {
                if len > limits::PATH {
                    let (path, member) = (path.to_owned(), printable(&member.name));
                    return Err(ImageError::LongMember { path, member, len, limit: limits::PATH });
                }
            }
            let place = match member.kind {
                Kind::File => Place::Data { start, len: member.size },
                Kind::Symlink => Place::Link(beside(&name, &member.link)),
                Kind::HardLink => Place::Link(relative(&member.link).join(&b'/')),
                _ => continue,
            };
            names += name.len() + if let Place::Link(target) = &place { target.len() } else { 0 };
            if members.len() == limits::ARCHIVE_MEMBERS || names > limits::ARCHIVE_NAMES {
                return Ok(None);
            }
            members.insert(name, place);
        }
        if !reader.ended() {
            return Err(ImageError::Unfinished { path: path.to_owned(), offset: reader.offset() });
        }
        Ok(Some(Self { path: path.to_owned(), tar, stamp, members }))
    }

    /// Where a file's data is.
    pub fn find(&self, name: &str) -> Option<(u64, u64)> {
        let mut name = relative(name.as_bytes()).join(&b'/');
        for _ in 0..limits::ARCHIVE_LINKS {
            match self.members.get(&name)? {
                Place::Data { start, len } => return Some((*start, *len)),
                Place::Link(target) => name = target.clone(),
            }
        }
        None
    }

    /// The tar once more, with a position of its own.
    pub fn reopen(&self) -> io::Result<File> {
        use std::os::fd::AsRawFd;
        File::open(format!("/proc/self/fd/{}", self.tar.as_raw_fd()))
    }
}

/// A link's target, seen from the archive's root.
fn beside(name: &[u8], target: &[u8]) -> Vec<u8> {
    let mut parts = relative(name);
    parts.pop();
    for part in relative(target) {
        if part == b".." {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    parts.join(&b'/')
}

/// The error for a file that is something else.
fn not_an_image(path: &Path, file: &File) -> ImageError {
    use std::os::unix::fs::FileExt;
    let mut start = [0; 24];
    let len = file.read_at(&mut start, 0).unwrap_or(0);
    ImageError::NotAnImage { path: path.to_owned(), start: printable(&start[..len]) }
}
