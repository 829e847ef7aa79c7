//! Unpacks what a container sends for `cp`.
//!
//! The guest is not trusted. Its archive is unpacked in a folder of our own, beside the place that it is for: by descriptors of
//! folders, without following a link, and without the top entry's name, which is ours to give. Only when the archive is whole
//! is something moved to the place, and that is what was asked for: one entry under the name that the person chose, or the
//! contents of one folder. No device, owner or set-ID bit is taken from the guest.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Permissions};
use std::io::{self, BufWriter, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, chmodat, linkat, mkdirat, openat, symlinkat};
use tempfile::TempDir;
use thiserror::Error;

use host::pump::BUFFER;
use host::text::printable;
use images::layer::Holes;
use images::tar::{Kind, Member, Reader, Stream, TarError, Time};
use images::tree::{NameError, components};

/// What the top entry is called while it is not at its place.
const TOP: &[u8] = b"top";

/// What may follow the end of an archive: GNU tar fills up a record of 10 KiB, and nobody more than some records.
const MOST_PADDING: u64 = 1 << 20;

/// What a copy may cost this machine.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Bytes of all files together.
    pub size: u64,
    /// Files, folders and links.
    pub files: u64,
}

/// Where it goes.
#[derive(Debug)]
pub struct Place {
    /// A folder that is there.
    pub folder: PathBuf,
    /// The name in it; `None` for the contents of what is copied, beside what is in the folder already.
    pub name: Option<OsString>,
}

/// Why it is not unpacked. Nothing of it is left then, unless it failed while it was moved to its place.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum UnpackError {
    #[error("cannot read what the container sends")]
    Tar(#[from] TarError),
    #[error("the container sends '{member}'")]
    Name { member: String, source: NameError },
    #[error("the container sends '{member}', which is not in '{wanted}': nothing is taken")]
    NotWanted { member: String, wanted: String },
    #[error("it is more than {0} bytes: cp --max-size SIZE allows more")]
    Size(u64),
    #[error("it is more than {0} files and folders: cp --max-files N allows more")]
    Files(u64),
    #[error("it is not a folder")]
    NotAFolder,
    #[error("it is neither a file nor a folder nor a symbolic link")]
    Kind,
    #[error("the container has not sent all of it")]
    Cut,
    #[error("cannot unpack '{member}'")]
    Write { member: String, source: io::Error },
    #[error("cannot make a folder to unpack it in")]
    Aside(#[source] io::Error),
    #[error("{0} is a symbolic link, which a folder does not replace")]
    Link(PathBuf),
    #[error("cannot put it at {path}")]
    Place { path: PathBuf, source: io::Error },
}

impl UnpackError {
    /// The archive ended before there was anything to refuse: whoever sends it knows better why.
    pub fn is_cut(&self) -> bool {
        match self {
            Self::Cut | Self::Tar(TarError::Cut { .. } | TarError::CutHeader { .. }) => true,
            Self::Write { source, .. } => source.kind() == io::ErrorKind::UnexpectedEof,
            _ => false,
        }
    }
}

/// What was unpacked, and is not at its place yet; it is removed unless it is put there.
#[derive(Debug)]
pub struct Unpacked {
    aside: TempDir,
    is_folder: bool,
}

/// Unpacks an archive in a folder of its own in `folder`. Its one top entry is called `top`, or else it holds what is in the
/// root.
pub fn unpack(
    archive: impl Read,
    top: Option<&OsStr>,
    folder: &Path,
    budget: Budget,
) -> Result<Unpacked, UnpackError> {
    let aside = tempfile::tempdir_in(folder).map_err(UnpackError::Aside)?;
    let folder = open_folder(CWD, aside.path().as_os_str().as_bytes())
        .map_err(|error| UnpackError::Aside(error.into()))?;
    let mut unpacking = Unpacking { folder, last: None, left: budget, budget };
    if top.is_none() {
        // The root has no entry of its own.
        unpacking.make_folder(&[TOP], 0o755).map_err(UnpackError::Aside)?;
    }
    let mut reader = Reader::new(Stream(archive));
    let mut skipped = false;
    while let Some(member) = reader.next_member()? {
        skipped |= !unpacking.add(&mut reader, &member, top)?;
    }
    if !reader.ended() {
        return Err(UnpackError::Cut);
    }
    // Whoever writes it shall not find the stream closed before its end.
    let _ = io::copy(&mut reader.into_inner().0.take(MOST_PADDING), &mut io::sink());
    match fs::symlink_metadata(aside.path().join(OsStr::from_bytes(TOP))) {
        Ok(metadata) => Ok(Unpacked { aside, is_folder: metadata.is_dir() }),
        Err(_) if skipped => Err(UnpackError::Kind),
        Err(_) => Err(UnpackError::Cut),
    }
}

impl Unpacked {
    /// Moves it to its place.
    pub fn put(self, place: &Place) -> Result<(), UnpackError> {
        let unpacked = self.aside.path().join(OsStr::from_bytes(TOP));
        match &place.name {
            None if self.is_folder => merge(&unpacked, &place.folder),
            None => Err(UnpackError::NotAFolder),
            Some(name) => put_one(&unpacked, self.is_folder, &place.folder.join(name)),
        }
    }
}

/// Moves an entry. A folder that is there keeps its own files; no symbolic link is followed.
fn put_one(from: &Path, is_folder: bool, to: &Path) -> Result<(), UnpackError> {
    match fs::symlink_metadata(to) {
        Ok(there) if is_folder && there.is_dir() => merge(from, to),
        Ok(there) if is_folder && there.is_symlink() => Err(UnpackError::Link(to.to_owned())),
        _ => fs::rename(from, to).map_err(at(to)),
    }
}

/// Moves what is in one folder into another.
fn merge(from: &Path, to: &Path) -> Result<(), UnpackError> {
    for entry in fs::read_dir(from).map_err(at(from))? {
        let entry = entry.map_err(at(from))?;
        let is_folder = entry.file_type().map_err(at(from))?.is_dir();
        put_one(&entry.path(), is_folder, &to.join(entry.file_name()))?;
    }
    Ok(())
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> UnpackError {
    let path = path.to_owned();
    move |source| UnpackError::Place { path, source }
}

struct Unpacking {
    folder: OwnedFd,
    /// The folder that was used last, and its path: most archives stay in one for a while.
    last: Option<(Vec<Vec<u8>>, OwnedFd)>,
    left: Budget,
    budget: Budget,
}

impl Unpacking {
    /// Unpacks a member; whether it is of a kind that is.
    fn add<R: Read>(
        &mut self,
        reader: &mut Reader<Stream<R>>,
        member: &Member,
        top: Option<&OsStr>,
    ) -> Result<bool, UnpackError> {
        let path = inside(&member.name, top)?;
        self.count(member)?;
        let (Some((name, parents)), true) = (path.split_last(), path.len() > 1 || top.is_some())
        else {
            // The root itself, which is there.
            return Ok(true);
        };
        let mode = member.mode & 0o777;
        let done = match member.kind {
            Kind::Directory => self.make_folder(&path, mode),
            Kind::File => self
                .parent(parents)
                .and_then(|parent| write_file(parent, name, reader, mode, member.mtime)),
            Kind::Symlink => self
                .parent(parents)
                .and_then(|parent| Ok(symlinkat(&member.link[..], parent, *name)?)),
            Kind::HardLink => {
                let target = inside(&member.link, top)?;
                self.link(&target, &path)
            }
            Kind::Character { .. } | Kind::Block { .. } | Kind::Fifo => return Ok(false),
        };
        let member = || printable(&member.name);
        done.map(|()| true).map_err(|source| UnpackError::Write { member: member(), source })
    }

    fn count(&mut self, member: &Member) -> Result<(), UnpackError> {
        let files = self.left.files.checked_sub(1).ok_or(UnpackError::Files(self.budget.files))?;
        let size =
            self.left.size.checked_sub(member.size).ok_or(UnpackError::Size(self.budget.size))?;
        self.left = Budget { size, files };
        Ok(())
    }

    /// The folder with this path, which has come before. Links on the way are none of it.
    fn parent(&mut self, path: &[&[u8]]) -> io::Result<&OwnedFd> {
        if self.last.as_ref().is_none_or(|(last, _)| last != path) {
            let mut folder = self.folder.try_clone()?;
            for name in path {
                folder = open_folder(&folder, name)?;
            }
            self.last = Some((path.iter().map(|name| name.to_vec()).collect(), folder));
        }
        Ok(self.last.as_ref().map_or(&self.folder, |(_, folder)| folder))
    }

    /// Its owner can always look into it and remove it: whatever the guest says, nothing is left behind that can't be.
    fn make_folder(&mut self, path: &[&[u8]], mode: u32) -> io::Result<()> {
        let Some((name, parents)) = path.split_last() else { return Ok(()) };
        let parent = self.parent(parents)?;
        mkdirat(parent, *name, Mode::RWXU)?;
        // This folder of ours, in which nobody else puts a link in its place.
        Ok(chmodat(parent, *name, Mode::from_raw_mode(mode) | Mode::RWXU, AtFlags::empty())?)
    }

    fn link(&mut self, target: &[&[u8]], path: &[&[u8]]) -> io::Result<()> {
        let missing = || io::Error::from(io::ErrorKind::NotFound);
        let (target_name, target_parents) = target.split_last().ok_or_else(missing)?;
        let (name, parents) = path.split_last().ok_or_else(missing)?;
        let from = self.parent(target_parents)?.try_clone()?;
        Ok(linkat(&from, *target_name, self.parent(parents)?, *name, AtFlags::empty())?)
    }
}

/// A member's path where it is unpacked.
fn inside<'a>(name: &'a [u8], top: Option<&OsStr>) -> Result<Vec<&'a [u8]>, UnpackError> {
    let mut path =
        components(name).map_err(|source| UnpackError::Name { member: printable(name), source })?;
    match top {
        None => path.insert(0, TOP),
        Some(top) => match path.first_mut() {
            Some(first) if *first == top.as_bytes() => *first = TOP,
            _ => {
                let wanted = printable(top.as_bytes());
                return Err(UnpackError::NotWanted { member: printable(name), wanted });
            }
        },
    }
    Ok(path)
}

fn open_folder(at: impl AsFd, name: &[u8]) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(at, name, flags, Mode::empty())
}

fn write_file(
    parent: &OwnedFd,
    name: &[u8],
    data: &mut impl Read,
    mode: u32,
    time: Time,
) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = File::from(openat(parent, name, flags, Mode::RUSR | Mode::WUSR)?);
    let mut out = BufWriter::with_capacity(BUFFER, Holes::new(&file));
    io::copy(data, &mut out)?;
    out.flush()?;
    file.set_permissions(Permissions::from_mode(mode))?;
    let since = Duration::new(time.seconds.unsigned_abs(), 0);
    let modified = match time.seconds {
        0.. => UNIX_EPOCH.checked_add(since + Duration::from_nanos(u64::from(time.nanos))),
        _ => UNIX_EPOCH.checked_sub(since),
    };
    // A time that this machine cannot say is the guest's trouble only.
    let _ = modified.map(|modified| file.set_modified(modified));
    Ok(())
}

#[cfg(test)]
mod tests;
