//! What a container has at a path.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::thread;

use rustix::pipe::{PipeFlags, pipe_with};

use super::error::CopyError;
use super::files::Files;
use crate::error::CommandError;
use images::tar::{Kind, Reader, Stream};

/// How many links are followed one behind the other (`MAXSYMLINKS` of Linux `include/linux/namei.h`).
pub(super) const MOST_LINKS: usize = 40;

/// What is there.
#[derive(Debug)]
pub(super) enum There {
    /// With what the container says about it.
    Nothing(Box<CommandError>),
    Folder,
    /// With what it leads to.
    Link(PathBuf),
    Device,
    Other,
}

/// What is at a path that is no link, and that path: where links lead that `path` itself is. Those on the way are the
/// container's to follow, in its own root.
pub(super) fn behind_links(files: &Files, path: &Path) -> Result<(PathBuf, There), CommandError> {
    let mut at = path.to_owned();
    for _ in 0..=MOST_LINKS {
        match look(files, &at)? {
            // A link's target is seen from the link's folder; an absolute one takes its place.
            There::Link(target) => at = at.parent().unwrap_or(Path::new("/")).join(target),
            there => return Ok((at, there)),
        }
    }
    Err(CopyError::Links(path.to_owned()).into())
}

/// What is there: what its archive begins with.
fn look(files: &Files, path: &Path) -> Result<There, CommandError> {
    if path == Path::new("/") {
        return Ok(There::Folder);
    }
    let wrong = |source: io::Error| CommandError::ReadFile { path: path.to_owned(), source };
    let (read, write) = pipe_with(PipeFlags::CLOEXEC).map_err(|error| wrong(error.into()))?;
    thread::scope(|scope| {
        let look = scope.spawn(|| first(File::from(read)));
        // What is large is not read to its end.
        let taken = files.take(path, write.as_fd());
        drop(write);
        let found = look.join().map_err(|_| wrong(io::Error::other("a panic")))?;
        Ok(match (found, taken) {
            (Some(there), _) => there,
            (None, Err(error)) => There::Nothing(Box::new(error)),
            // A socket, which is not archived.
            (None, Ok(())) => There::Other,
        })
    })
}

fn first(archive: impl io::Read) -> Option<There> {
    let member = Reader::new(Stream(archive)).next_member().ok()??;
    Some(match member.kind {
        Kind::Directory => There::Folder,
        Kind::Symlink => There::Link(OsStr::from_bytes(&member.link).into()),
        Kind::Character { .. } | Kind::Block { .. } => There::Device,
        _ => There::Other,
    })
}
