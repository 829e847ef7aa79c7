//! Unpacks what a container sends for `cp`.
//!
//! The guest is not trusted. Its archive is unpacked in a folder of our own, beside the place that it is for: by descriptors of
//! folders, without following a link, and without the top entry's name, which is ours to give. Only when the archive is whole
//! is something moved to the place, and that is what was asked for: one entry under the name that the person chose, or the
//! contents of one folder. No device or set-ID bit is taken from the guest, and an owner for root only, who asks for it.

mod entries;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use thiserror::Error;

use entries::{TOP, Unpacking};
use images::tar::{Reader, Stream, TarError};
use images::tree::NameError;

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
    /// Something with a `/` behind it: a folder, if it is to be made.
    pub is_folder: bool,
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
    #[error("the container sends nothing that is made on this machine: it is a device or a socket")]
    Kind,
    #[error("there is no folder {0}, and a file makes none")]
    NoFolder(PathBuf),
    #[error("{0} is there and is no folder: a folder does not replace it")]
    NoFolderThere(PathBuf),
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
    /// Bytes of all files together.
    pub size: u64,
    /// Devices, which are left out.
    pub left_out: u64,
}

/// Unpacks an archive in a folder of its own in `folder`, with the owners that it names or not. Its one top entry is called `top`,
/// or else it is `.`: what is in the root, or in a folder.
pub fn unpack(
    archive: impl Read,
    top: Option<&OsStr>,
    folder: &Path,
    budget: Budget,
    owners: bool,
) -> Result<Unpacked, UnpackError> {
    let aside = tempfile::tempdir_in(folder).map_err(UnpackError::Aside)?;
    let mut unpacking = Unpacking::new(aside.path(), budget, owners).map_err(UnpackError::Aside)?;
    if top.is_none() {
        // An archive may begin with what is in it.
        unpacking.make_top().map_err(UnpackError::Aside)?;
    }
    let mut reader = Reader::new(Stream(archive));
    while let Some(member) = reader.next_member()? {
        unpacking.add(&mut reader, &member, top)?;
    }
    if !reader.ended() {
        return Err(UnpackError::Cut);
    }
    // Whoever writes it shall not find the stream closed before its end.
    let _ = io::copy(&mut reader.into_inner().0.take(MOST_PADDING), &mut io::sink());
    let (size, left_out) = (unpacking.size(), unpacking.left_out);
    unpacking.finish();
    match fs::symlink_metadata(aside.path().join(OsStr::from_bytes(TOP))) {
        Ok(metadata) => Ok(Unpacked { aside, is_folder: metadata.is_dir(), size, left_out }),
        // The container has sent nothing but what is left out: it leaves out sockets itself.
        Err(_) => Err(UnpackError::Kind),
    }
}

impl Unpacked {
    /// Moves it to its place.
    pub fn put(self, place: &Place) -> Result<(), UnpackError> {
        let unpacked = self.aside.path().join(OsStr::from_bytes(TOP));
        match &place.name {
            None if self.is_folder => merge(&unpacked, &place.folder),
            None => Err(UnpackError::NotAFolder),
            Some(name) => {
                let to = place.folder.join(name);
                if place.is_folder && !self.is_folder {
                    return Err(UnpackError::NoFolder(to));
                }
                put_one(&unpacked, self.is_folder, &to)
            }
        }
    }
}

/// Moves an entry. A folder that is there keeps its own files; no symbolic link is followed.
fn put_one(from: &Path, is_folder: bool, to: &Path) -> Result<(), UnpackError> {
    match fs::symlink_metadata(to) {
        Ok(there) if is_folder && there.is_dir() => merge(from, to),
        Ok(there) if is_folder && there.is_symlink() => Err(UnpackError::Link(to.to_owned())),
        Ok(_) if is_folder => Err(UnpackError::NoFolderThere(to.to_owned())),
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

#[cfg(test)]
mod tests;
