//! An image inside a tar: where its members are, so that each can be read without the others.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::error::ImageError;
use crate::holes::Holes;
use crate::layer::Limits;
use crate::limits;
use crate::tar::{Kind, Map, RECORD, Reader, Seekable, TarError};
use crate::tree::relative;
use host::cache::Cache;
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
    /// Where it ends, if its end is not marked: whatever says which members it has then has to say that it is whole.
    pub unfinished: Option<u64>,
    /// Where sparse members are expanded.
    cache: Cache,
    /// How long one may be.
    limit: u64,
}

#[derive(Clone, Debug)]
enum Place {
    Data(Data),
    /// docker writes a layer that it has already written as a symbolic link.
    Link(Vec<u8>),
}

/// Where a file's data is in the tar.
#[derive(Clone, Debug)]
pub struct Data {
    pub start: u64,
    pub len: u64,
    /// Where it goes, if the file is sparse.
    map: Option<Map>,
}

impl Archive {
    /// List the members of `tar`; `None` when there are too many, or too long names, for an image archive.
    pub fn list(
        cache: &Cache,
        path: &Path,
        tar: File,
        stamp: [u64; 11],
        limits: Limits,
    ) -> Result<Option<Self>, ImageError> {
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
            let name = beside(b"", &member.name);
            let (len, map) = reader.packed();
            let (start, end) = (reader.offset(), reader.offset().saturating_add(len));
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
                Kind::File => Place::Data(Data { start, len, map }),
                Kind::Symlink => Place::Link(beside(&name, &member.link)),
                Kind::HardLink => Place::Link(beside(b"", &member.link)),
                _ => continue,
            };
            names += name.len()
                + match &place {
                    Place::Link(target) => target.len(),
                    Place::Data(data) => data.map.as_ref().map_or(0, Map::memory),
                };
            if members.len() == limits::ARCHIVE_MEMBERS || names > limits::ARCHIVE_NAMES {
                return Ok(None);
            }
            members.insert(name, place);
        }
        let unfinished = if reader.ended() { None } else { Some(reader.offset()) };
        let (path, cache, limit) = (path.to_owned(), cache.clone(), limits.size);
        Ok(Some(Self { path, tar, stamp, members, unfinished, cache, limit }))
    }

    /// Where a file's data is.
    pub fn find(&self, name: &str) -> Option<&Data> {
        let mut name = beside(b"", name.as_bytes());
        for _ in 0..limits::ARCHIVE_LINKS {
            match self.members.get(&name)? {
                Place::Data(data) => return Some(data),
                Place::Link(target) => name = target.clone(),
            }
        }
        None
    }

    /// Open a file.
    pub fn open(&self, data: &Data) -> io::Result<io::Take<File>> {
        use std::os::fd::AsRawFd;
        // The tar once more, with a position of its own.
        let mut tar = File::open(format!("/proc/self/fd/{}", self.tar.as_raw_fd()))?;
        tar.seek(SeekFrom::Start(data.start))?;
        let Some(map) = &data.map else { return Ok(tar.take(data.len)) };
        if map.size() > self.limit {
            let limit = self.limit;
            return Err(io::Error::other(format!("a sparse file of more than {limit} bytes")));
        }
        let mut file = self.cache.scratch_file().map_err(io::Error::other)?;
        map.expand(&mut tar.take(data.len), &mut Holes::new(&file))?;
        file.rewind()?;
        Ok(file.take(map.size()))
    }
}

/// A path in an archive, seen from its root; a link's target stands beside its name.
fn beside(name: &[u8], target: &[u8]) -> Vec<u8> {
    let mut parts = if target.starts_with(b"/") { Vec::new() } else { relative(name) };
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
