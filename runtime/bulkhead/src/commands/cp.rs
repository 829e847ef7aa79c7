//! `cp`: files between a container and this machine, as a tar on the way.

pub(super) mod files;

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, BufReader};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::thread;

use clap::Args;
use rustix::pipe::{PipeFlags, pipe_with};

use super::unpack::{Budget, Place, unpack};
use crate::error::CommandError;
use crate::limits::{COPY_FILES, COPY_SIZE};
use crate::size::parse_size;
use containers::container::{Container, Containers};
use files::Files;
use host::pump::BUFFER;
use images::tar::{Kind, Reader, Stream};

/// Copy files between a container and this machine
///
/// FOLDER/. stands for what is in a folder. What comes from a container is put at its place when all of it is there: under
/// the name that was asked for, through no symbolic link, without owners, set-ID bits, devices and pipes; its folders stay
/// open for their owner.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bulkhead cp web:/etc/nginx ./nginx\n  bulkhead cp site.conf web:/etc/nginx/conf.d/\n  bulkhead cp web:/var/log - | tar -t\n  bulkhead cp --max-size 100G web:/srv/data/. ./data"
)]
pub struct CopyArguments {
    /// The most bytes that a container may send
    #[arg(long, value_name = "SIZE", default_value = COPY_SIZE, value_parser = parse_size)]
    pub max_size: u64,
    /// The most files, folders and links that it may send
    #[arg(long, value_name = "N", default_value_t = COPY_FILES)]
    pub max_files: u64,
    /// CONTAINER:PATH, a path on this machine, or - for a tar archive on stdin
    #[arg(value_name = "FROM")]
    pub from: OsString,
    /// CONTAINER:PATH, a path on this machine, or - for a tar archive on stdout
    #[arg(value_name = "TO")]
    pub to: OsString,
}

/// One side of a copy.
enum Side {
    /// A path in a container, absolute.
    In(Box<Container>, PathBuf),
    Here(PathBuf),
    Stream,
}

pub fn execute(arguments: &CopyArguments) -> Result<u8, CommandError> {
    let containers = &Containers::open_default()?;
    let from = side(containers, &arguments.from)?;
    let to = side(containers, &arguments.to)?;
    match (from, to) {
        (Side::In(container, path), Side::Stream) => {
            Files::reach(container, false)?.apply(|files| files.take(&path, io::stdout().as_fd()))
        }
        (Side::Stream, Side::In(container, path)) => {
            Files::reach(container, true)?.apply(|files| files.give(&path, io::stdin().as_fd()))
        }
        (Side::In(container, path), Side::Here(to)) => {
            let budget = Budget { size: arguments.max_size, files: arguments.max_files };
            let from = Source::new(&path);
            Files::reach(container, false)?.apply(|files| take_files(files, &from, &to, budget))
        }
        (Side::Here(from), Side::In(container, path)) => {
            Files::reach(container, true)?.apply(|files| give_files(files, &from, &path))
        }
        _ => {
            let message = "cp: one of FROM and TO is CONTAINER:PATH, the other a path or -";
            return Err(CommandError::Usage(message.to_owned()));
        }
    }?;
    Ok(0)
}

/// As docker tells them apart: what starts with a dot or a slash is a path of this machine.
fn side(containers: &Containers, text: &OsStr) -> Result<Side, CommandError> {
    let bytes = text.as_bytes();
    if bytes == b"-" {
        return Ok(Side::Stream);
    }
    let colon = bytes.iter().position(|&byte| byte == b':');
    match colon {
        Some(at) if !bytes.starts_with(b"/") && !bytes.starts_with(b".") => {
            let container = containers.find(&String::from_utf8_lossy(&bytes[..at]))?;
            // A relative path is seen from the root.
            let path = Path::new("/").join(OsStr::from_bytes(&bytes[at + 1..]));
            Ok(Side::In(Box::new(container), path))
        }
        _ => Ok(Side::Here(text.into())),
    }
}

/// What is taken from a container.
#[derive(Debug, PartialEq, Eq)]
struct Source {
    path: PathBuf,
    /// The last name; the root has none.
    name: Option<OsString>,
    /// Not the folder, but what is in it.
    contents: bool,
}

impl Source {
    /// As docker reads a path: `..` by its text, and `/.` at the end for a folder's contents.
    fn new(text: &Path) -> Self {
        let mut path = PathBuf::from("/");
        for component in text.components() {
            match component {
                Component::Normal(name) => path.push(name),
                Component::ParentDir => drop(path.pop()),
                _ => {}
            }
        }
        let name = path.file_name().map(OsStr::to_owned);
        let bytes = text.as_os_str().as_bytes();
        let contents = bytes.ends_with(b"/.");
        // A link that is called a folder is followed.
        match name.is_some() {
            true if contents => path.push("."),
            true if bytes.ends_with(b"/") => path.push(""),
            _ => {}
        }
        Self { path, contents: contents || name.is_none(), name }
    }
}

/// Takes one file or folder, or a folder's contents.
fn take_files(files: &Files, from: &Source, to: &Path, budget: Budget) -> Result<(), CommandError> {
    let wrong = |source| CommandError::WriteFile { path: to.to_owned(), source };
    // Into a folder that is there; otherwise the last name is the new one.
    let place = if to.is_dir() {
        let name = from.name.clone().filter(|_| !from.contents);
        Place { folder: to.to_owned(), name }
    } else {
        let name = to.file_name().ok_or_else(|| wrong(io::ErrorKind::InvalidInput.into()))?;
        let parent = to.parent().filter(|parent| *parent != Path::new(""));
        let folder = parent.unwrap_or(Path::new(".")).to_owned();
        Place { folder, name: Some(name.to_owned()) }
    };
    if !place.folder.is_dir() {
        return Err(wrong(io::ErrorKind::NotFound.into()));
    }
    let (read, write) = pipe_with(PipeFlags::CLOEXEC).map_err(|error| wrong(error.into()))?;
    thread::scope(|scope| {
        let archive = BufReader::with_capacity(BUFFER, File::from(read));
        let unpacking =
            scope.spawn(|| unpack(archive, from.name.as_deref(), &place.folder, budget));
        let taken = files.take(&from.path, write.as_fd());
        drop(write);
        let unpacked = unpacking.join().map_err(|_| wrong(io::Error::other("a panic")))?;
        // Once it is refused here, the other side can't write any more, and says only that.
        match &unpacked {
            Err(error) if !error.is_cut() => {}
            _ => taken?,
        }
        unpacked
            .and_then(|unpacked| unpacked.put(&place))
            .map_err(|error| CommandError::Unpack { path: to.to_owned(), source: Box::new(error) })
    })
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
            let first = Reader::new(Stream(File::from(read))).next_member().ok()??;
            Some(first.kind == Kind::Directory)
        });
        // One that is not there is refused, and what is large is not read to its end.
        let _ = files.take(path, write.as_fd());
        drop(write);
        Ok(look.join().ok().flatten().unwrap_or(false))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_in_a_container_is_read_as_docker_reads_it() {
        for (text, path, name, contents) in [
            ("/etc/nginx", "/etc/nginx", Some("nginx"), false),
            ("/etc/nginx/", "/etc/nginx/", Some("nginx"), false),
            ("/etc/nginx/.", "/etc/nginx/.", Some("nginx"), true),
            ("/etc/./nginx/../hosts", "/etc/hosts", Some("hosts"), false),
            ("/etc/..", "/", None, true),
            ("/../../etc", "/etc", Some("etc"), false),
            ("/", "/", None, true),
            ("/.", "/", None, true),
        ] {
            let source = Source::new(Path::new(text));
            assert_eq!(source.path.as_os_str(), path, "{text}");
            assert_eq!(
                (source.name.as_deref(), source.contents),
                (name.map(OsStr::new), contents),
                "{text}"
            );
        }
    }
}
