//! `cp`: files between a container and this machine, as a tar on the way.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::thread;

use clap::Args;
use protocol::ByteString;
use rustix::pipe::{PipeFlags, pipe_with};

use crate::error::CommandError;
use crate::foreground::folders;
use containers::container::{Container, Containers};
use containers::supervisor::{Client, CopyVm, Request, SupervisorError};

/// Copy files between a container and this machine
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bulkhead cp web:/etc/nginx ./nginx\n  bulkhead cp site.conf web:/etc/nginx/conf.d/\n  bulkhead cp web:/var/log - | tar -t"
)]
pub struct CopyArguments {
    /// CONTAINER:PATH, a path on this machine, or - for a tar archive on stdin
    #[arg(value_name = "FROM")]
    pub from: OsString,
    /// CONTAINER:PATH, a path on this machine, or - for a tar archive on stdout
    #[arg(value_name = "TO")]
    pub to: OsString,
}

/// One side of a copy.
enum Place {
    /// A path in a container, absolute.
    In(Box<Container>, PathBuf),
    Here(PathBuf),
    Stream,
}

/// Copies.
pub fn execute(arguments: &CopyArguments) -> Result<u8, CommandError> {
    let containers = &Containers::open_default()?;
    let from = place(containers, &arguments.from)?;
    let to = place(containers, &arguments.to)?;
    match (from, to) {
        (Place::In(container, path), Place::Stream) => {
            Files::reach(container, false)?.apply(|files| files.take(&path, io::stdout().as_fd()))
        }
        (Place::Stream, Place::In(container, path)) => {
            Files::reach(container, true)?.apply(|files| files.give(&path, io::stdin().as_fd()))
        }
        (Place::In(container, path), Place::Here(to)) => {
            Files::reach(container, false)?.apply(|files| take_files(files, &path, &to))
        }
        (Place::Here(from), Place::In(container, path)) => {
            Files::reach(container, true)?.apply(|files| give_files(files, &from, &path))
        }
        _ => {
            let message = "cp: one of FROM and TO is CONTAINER:PATH, the other a path or -";
            return Err(CommandError::Usage(message.to_owned()));
        }
    }?;
    Ok(0)
}

/// The way to a container's files.
enum Files {
    /// By its supervisor.
    Running(Box<Container>),
    /// It does not run: in a VM for this purpose.
    Stopped(CopyVm),
}

impl Files {
    fn reach(container: Box<Container>, to_write: bool) -> Result<Self, CommandError> {
        Ok(match container.state()?.control {
            Some(_) => Self::Running(container),
            None => Self::Stopped(CopyVm::start(&container, &folders()?, to_write)?),
        })
    }

    /// Does something to them; what is written is on the disk afterwards.
    fn apply(
        self,
        work: impl FnOnce(&Self) -> Result<(), CommandError>,
    ) -> Result<(), CommandError> {
        let result = work(&self);
        match (self, result) {
            (Self::Running(_), result) => result,
            (Self::Stopped(vm), Err(CommandError::Supervisor(SupervisorError::Guest(failure)))) => {
                Ok(vm.end(Some(failure))?)
            }
            (Self::Stopped(vm), result) => {
                let ended = vm.end(None);
                result.and(ended.map_err(CommandError::from))
            }
        }
    }

    fn take(&self, path: &Path, to: BorrowedFd<'_>) -> Result<(), CommandError> {
        let path = text(path);
        Ok(match self {
            Self::Stopped(vm) => vm.copy_out(path, to),
            Self::Running(container) => {
                Client::connect(container)?.request(&Request::CopyOut { path }, &[to])
            }
        }?)
    }

    fn give(&self, path: &Path, from: BorrowedFd<'_>) -> Result<(), CommandError> {
        let path = text(path);
        Ok(match self {
            Self::Stopped(vm) => vm.copy_in(path, from),
            Self::Running(container) => {
                Client::connect(container)?.request(&Request::CopyIn { path }, &[from])
            }
        }?)
    }
}

/// As docker tells them apart: what starts with a dot or a slash is a path of this machine.
fn place(containers: &Containers, text: &OsStr) -> Result<Place, CommandError> {
    let bytes = text.as_bytes();
    if bytes == b"-" {
        return Ok(Place::Stream);
    }
    let colon = bytes.iter().position(|&byte| byte == b':');
    match colon {
        Some(at) if !bytes.starts_with(b"/") && !bytes.starts_with(b".") => {
            let container = containers.find(&String::from_utf8_lossy(&bytes[..at]))?;
            // A relative path is seen from the root.
            let path = Path::new("/").join(OsStr::from_bytes(&bytes[at + 1..]));
            Ok(Place::In(Box::new(container), path))
        }
        _ => Ok(Place::Here(text.into())),
    }
}

fn text(path: &Path) -> ByteString {
    path.as_os_str().as_bytes().into()
}

/// Unpacks what the container sends. It is not trusted: nothing lands outside of the place, and no device, owner or set-ID
/// bit is taken from it.
fn take_files(files: &Files, path: &Path, to: &Path) -> Result<(), CommandError> {
    let wrong = |source| CommandError::WriteFile { path: to.to_owned(), source };
    // Into a folder that is there; otherwise the last name is the new one.
    let (folder, name) = if to.is_dir() {
        (to.to_owned(), None)
    } else {
        let name = to.file_name().ok_or_else(|| wrong(io::ErrorKind::InvalidInput.into()))?;
        let parent = to.parent().filter(|parent| *parent != Path::new(""));
        (parent.unwrap_or(Path::new(".")).to_owned(), Some(name.to_owned()))
    };
    if !folder.is_dir() {
        return Err(wrong(io::ErrorKind::NotFound.into()));
    }
    let (read, write) = pipe_with(PipeFlags::CLOEXEC).map_err(|error| wrong(error.into()))?;
    thread::scope(|scope| {
        let unpacking = scope.spawn(|| unpack(File::from(read), &folder, name.as_deref()));
        let taken = files.take(path, write.as_fd());
        drop(write);
        let unpacked = unpacking.join().unwrap_or_else(|_| Err(io::Error::other("a panic")));
        taken?;
        unpacked.map_err(wrong)
    })
}

fn unpack(archive: impl Read, folder: &Path, name: Option<&OsStr>) -> io::Result<()> {
    let mut archive = tar::Archive::new(archive);
    archive.set_preserve_permissions(false);
    // Under a name of its own until it is whole: then the top entry is moved to its place.
    let aside = tempfile::tempdir_in(folder)?;
    for entry in archive.entries()? {
        let mut entry = entry?;
        let kind = entry.header().entry_type();
        if kind.is_file() || kind.is_dir() || kind.is_symlink() || kind.is_hard_link() {
            entry.unpack_in(aside.path())?;
        }
    }
    for top in fs::read_dir(aside.path())? {
        let top = top?;
        let to = folder.join(name.unwrap_or(&top.file_name()));
        if to.is_dir() && top.file_type()?.is_dir() {
            merge(&top.path(), &to)?;
        } else {
            fs::rename(top.path(), to)?;
        }
    }
    Ok(())
}

/// Moves what is in one folder into another, whose own files stay.
fn merge(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() && fs::symlink_metadata(&to).is_ok_and(|to| to.is_dir()) {
            merge(&entry.path(), &to)?;
        } else {
            fs::rename(entry.path(), to)?;
        }
    }
    Ok(())
}

/// Packs files for the container: into a folder that is there, or under a new last name.
fn give_files(files: &Files, from: &Path, path: &Path) -> Result<(), CommandError> {
    let wrong = |source| CommandError::ReadFile { path: from.to_owned(), source };
    let kind = fs::symlink_metadata(from).map_err(wrong)?;
    let own = fs::canonicalize(from).map_err(wrong)?;
    let own_name = own.file_name().unwrap_or(OsStr::new("."));
    let is_folder_there = path.as_os_str().as_bytes().ends_with(b"/")
        || path.components().next_back() == Some(Component::RootDir)
        || is_folder(files, path)?;
    let (folder, name) = match (is_folder_there, path.parent(), path.file_name()) {
        (false, Some(parent), Some(name)) => (parent, name),
        _ => (path, own_name),
    };
    let (read, write) = pipe_with(PipeFlags::CLOEXEC).map_err(|error| wrong(error.into()))?;
    thread::scope(|scope| {
        let packing = scope.spawn(|| {
            let mut archive = tar::Builder::new(File::from(write));
            archive.follow_symlinks(false);
            match kind.is_dir() {
                true => archive.append_dir_all(name, from)?,
                false => archive.append_path_with_name(from, name)?,
            }
            archive.finish()
        });
        let given = files.give(folder, read.as_fd());
        drop(read);
        let packed = packing.join().unwrap_or_else(|_| Err(io::Error::other("a panic")));
        given?;
        packed.map_err(wrong)
    })
}

/// Whether the container has a folder there: its archive begins with one.
fn is_folder(files: &Files, path: &Path) -> Result<bool, CommandError> {
    let wrong = |error: rustix::io::Errno| CommandError::ReadFile {
        path: path.to_owned(),
        source: error.into(),
    };
    let (read, write) = pipe_with(PipeFlags::CLOEXEC).map_err(wrong)?;
    thread::scope(|scope| {
        let look = scope.spawn(|| {
            let mut archive = tar::Archive::new(File::from(read));
            let mut entries = archive.entries().ok()?;
            Some(entries.next()?.ok()?.header().entry_type().is_dir())
        });
        // One that is not there is refused, and what is large is not read to its end.
        let _ = files.take(path, write.as_fd());
        drop(write);
        Ok(look.join().ok().flatten().unwrap_or(false))
    })
}
