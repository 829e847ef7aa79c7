//! The members of a container's archive, each made in a folder of our own.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::mem;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, Timespec, Timestamps, UTIME_OMIT, Uid, chmodat,
    chownat, fchmod, fchown, linkat, mkdirat, mknodat, openat, symlinkat, utimensat,
};

use super::{Budget, UnpackError};
use host::pump::BUFFER;
use host::text::printable;
use images::holes::Holes;
use images::tar::{Kind, Member, Reader, Stream, Time};
use images::tree::components;

/// What the top entry is called while it is not at its place.
pub(super) const TOP: &[u8] = b"top";

/// An archive that is unpacked.
pub(super) struct Unpacking {
    folder: OwnedFd,
    /// The folder that was used last, and its path: most archives stay in one for a while.
    last: Option<(Vec<Vec<u8>>, OwnedFd)>,
    /// Folders' times, which change as long as something is made in them.
    times: Vec<(Vec<Vec<u8>>, Time)>,
    left: Budget,
    budget: Budget,
    owners: bool,
    /// How many devices there were.
    pub left_out: u64,
}

impl Unpacking {
    /// Unpacks in `folder`.
    pub fn new(folder: &Path, budget: Budget, owners: bool) -> io::Result<Self> {
        let folder = open_folder(CWD, folder.as_os_str().as_bytes())?;
        let (last, times, left) = (None, Vec::new(), budget);
        Ok(Self { folder, last, times, left, budget, owners, left_out: 0 })
    }

    /// Makes the folder whose contents are sent.
    pub fn make_top(&mut self) -> io::Result<()> {
        Ok(mkdirat(&self.folder, TOP, Mode::from_raw_mode(0o755))?)
    }

    /// Bytes of all files so far.
    pub fn size(&self) -> u64 {
        self.budget.size - self.left.size
    }

    /// Unpacks a member.
    pub fn add<R: Read>(
        &mut self,
        reader: &mut Reader<Stream<R>>,
        member: &Member,
        top: Option<&OsStr>,
    ) -> Result<(), UnpackError> {
        let path = inside(&member.name, top)?;
        self.count(member)?;
        let is_top = path.len() == 1 && top.is_none();
        if is_top && member.kind != Kind::Directory {
            let wanted = ".".to_owned();
            return Err(UnpackError::NotWanted { member: printable(&member.name), wanted });
        }
        let done = match member.kind {
            Kind::HardLink => {
                let target = inside(&member.link, top)?;
                self.link(&target, &path)
            }
            Kind::Character { .. } | Kind::Block { .. } => {
                self.left_out += 1;
                Ok(())
            }
            _ => self.make(reader, member, &path, is_top),
        };
        let member = || printable(&member.name);
        done.map_err(|source| UnpackError::Write { member: member(), source })
    }

    fn make(
        &mut self,
        data: &mut impl Read,
        member: &Member,
        path: &[&[u8]],
        is_there: bool,
    ) -> io::Result<()> {
        let Some((name, parents)) = path.split_last() else { return Ok(()) };
        let owner = self.owners.then(|| (Uid::from_raw(member.uid), Gid::from_raw(member.gid)));
        let mode = Mode::from_raw_mode(member.mode & 0o777);
        let parent = self.parent(parents)?;
        if member.kind == Kind::File {
            return write_file(parent, name, data, mode, owner, member.mtime);
        }
        match member.kind {
            Kind::Directory if is_there => {}
            Kind::Directory => mkdirat(parent, *name, Mode::RWXU)?,
            Kind::Symlink => symlinkat(&member.link[..], parent, *name)?,
            _ => mknodat(parent, *name, FileType::Fifo, mode, 0)?,
        }
        if let Some((user, group)) = owner {
            chownat(parent, *name, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW)?;
        }
        if member.kind == Kind::Directory {
            // Its owner can always look into it and remove it: whatever the guest says, nothing is left behind that can't be.
            // This folder of ours, in which nobody else puts a link in its place.
            chmodat(parent, *name, mode | Mode::RWXU, AtFlags::empty())?;
            self.times.push((path.iter().map(|name| name.to_vec()).collect(), member.mtime));
        } else {
            set_time(parent, name, member.mtime);
        }
        Ok(())
    }

    /// Gives folders their times.
    pub fn finish(mut self) {
        for (path, time) in mem::take(&mut self.times).into_iter().rev() {
            let path: Vec<&[u8]> = path.iter().map(Vec::as_slice).collect();
            if let Some((name, parents)) = path.split_last()
                && let Ok(parent) = self.parent(parents)
            {
                set_time(parent, name, time);
            }
        }
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
    mode: Mode,
    owner: Option<(Uid, Gid)>,
    time: Time,
) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = File::from(openat(parent, name, flags, Mode::RUSR | Mode::WUSR)?);
    let mut out = BufWriter::with_capacity(BUFFER, Holes::new(&file));
    io::copy(data, &mut out)?;
    out.flush()?;
    if let Some((user, group)) = owner {
        fchown(&file, Some(user), Some(group))?;
    }
    fchmod(&file, mode)?;
    set_time(parent, name, time);
    Ok(())
}

/// Of the last change. One that this machine cannot say is the guest's trouble only.
fn set_time(parent: &OwnedFd, name: &[u8], time: Time) {
    let time = Timespec { tv_sec: time.seconds, tv_nsec: time.nanos.into() };
    let as_it_is = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
    let times = Timestamps { last_access: as_it_is, last_modification: time };
    let _ = utimensat(parent, name, &times, AtFlags::SYMLINK_NOFOLLOW);
}
