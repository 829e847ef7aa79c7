//! A member as it counts: header, long names and pax records put together.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::header::{Header, owner};
use super::{TarError, pax::Records, printable};

/// A point in time since 1970; `nanos` counts forward also from a negative second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Time {
    /// Whole seconds.
    pub seconds: i64,
    /// Nanoseconds, below 1,000,000,000.
    pub nanos: u32,
}

/// What a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Kind {
    File,
    HardLink,
    Symlink,
    Character { major: u32, minor: u32 },
    Block { major: u32, minor: u32 },
    Directory,
    Fifo,
}

/// One member of an archive. Names are bytes: tar, like Linux, knows no encoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The name as written, with any leading `./` or `/`.
    pub name: Vec<u8>,
    /// What a link refers to.
    pub link: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// Permission bits (07777).
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Time of the last change.
    pub mtime: Time,
    /// Length of the file, with the holes of a sparse one: so many bytes can be read.
    pub size: u64,
    /// Extended attributes by full name.
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Where the member's header stands in the archive.
    pub offset: u64,
}

/// Put a member together; what an extension says goes before what the header says. The size is that of the data in the archive.
pub fn assemble(
    header: &Header,
    long_name: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
    records: &Records,
    offset: u64,
) -> Result<Member, TarError> {
    // The other name of a sparse file, for tars that don't expand it, says where it was expanded.
    let sparse_name = records.bytes("GNU.sparse.name");
    // Where GNU's long name and pax records are both there, docker takes the former (Go's archive/tar).
    let name = sparse_name.or(long_name).or_else(|| records.bytes("path"));
    let name = name.unwrap_or_else(|| header.name());
    let link =
        long_link.or_else(|| records.bytes("linkpath")).unwrap_or_else(|| header.link_name());
    let bad = |field| TarError::Field { offset, member: printable(&name), field };
    let device = || header.device().ok_or_else(|| bad("device number"));
    let size = || match records.number::<u64>("size").map_err(bad)?.or_else(|| header.size()) {
        Some(size) if size <= i64::MAX as u64 => Ok(size),
        _ => Err(bad("size")),
    };
    let kind = match header.type_flag() {
        // Before POSIX, a directory was a file whose name ends with a slash; one that has data is still a file.
        b'\0' if name.ends_with(b"/") => Kind::Directory,
        b'0' if name.ends_with(b"/") && size()? == 0 => Kind::Directory,
        b'\0' | b'0' | b'7' | b'S' => Kind::File,
        b'1' => Kind::HardLink,
        b'2' => Kind::Symlink,
        b'3' => device().map(|(major, minor)| Kind::Character { major, minor })?,
        b'4' => device().map(|(major, minor)| Kind::Block { major, minor })?,
        b'5' => Kind::Directory,
        b'6' => Kind::Fifo,
        flag => {
            let flag = char::from(flag).escape_default().to_string();
            return Err(TarError::Type { offset, member: printable(&name), flag });
        }
    };
    // Only files have data; the size of anything else is noise from old writers, and no tar reads on there.
    let size = if kind == Kind::File { size()? } else { 0 };
    let owner = |plain: Option<u32>, field| match records.number::<i64>(field).map_err(bad)? {
        Some(number) => owner(number.into()).ok_or_else(|| bad(field)),
        None => plain.ok_or_else(|| bad(field)),
    };
    let mtime = match records.time("mtime").map_err(bad)? {
        Some(time) => time,
        None => Time { seconds: header.mtime().ok_or_else(|| bad("mtime"))?, nanos: 0 },
    };
    Ok(Member {
        link,
        kind,
        mode: header.mode().ok_or_else(|| bad("mode"))?,
        uid: owner(header.uid(), "uid")?,
        gid: owner(header.gid(), "gid")?,
        mtime,
        size,
        xattrs: records.xattrs(),
        offset,
        name,
    })
}
