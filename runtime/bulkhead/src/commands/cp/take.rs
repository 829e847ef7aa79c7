//! From a container to this machine.

use std::ffi::OsString;
use std::fs::{self, File, FileType};
use std::io::{self, BufReader};
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;
use std::path::{Component, Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;

use rustix::pipe::{PipeFlags, pipe_with};

use super::error::CopyError;
use super::files::Files;
use super::interrupt::Interruptible;
use super::look::{MOST_LINKS, behind_links};
use super::path::{is_called_folder, is_contents};
use crate::commands::unpack::{Budget, Place, unpack};
use crate::error::CommandError;
use containers::conversation::Signals;
use containers::vm::VmError;
use host::pump::BUFFER;

/// A process that a signal ends has this status and the signal's number, for a shell (POSIX.1-2017 XCU, 2.8.2).
const SIGNALLED: i32 = 128;

/// What is taken from a container.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Source {
    /// For the container.
    pub path: PathBuf,
    /// What it is called here; the root has no name.
    name: Option<OsString>,
    /// Not the folder, but what is in it.
    contents: bool,
}

impl Source {
    /// Of a path as [`in_container`](super::path::in_container) reads it.
    pub fn new(path: &Path) -> Self {
        let name = path.file_name().map(OsString::from);
        Self { path: path.to_owned(), contents: is_contents(path) || name.is_none(), name }
    }

    /// What it leads to if it is a link, under the link's name.
    pub fn follow(self, files: &Files) -> Result<Self, CommandError> {
        let (path, _) = behind_links(files, &self.path)?;
        Ok(Self { path, ..self })
    }

    /// What its archive's one top entry is called; `None` for `.` (see [`protocol::ToGuest::CopyOut`]).
    fn top(&self) -> Option<OsString> {
        match self.path.components().next_back() {
            Some(Component::Normal(name)) if !is_contents(&self.path) => Some(name.to_owned()),
            _ => None,
        }
    }

    /// Where it goes: into a folder that is there; otherwise the last name is the new one. Links are followed that `to`
    /// itself is, as docker does (moby `CopyInfoDestinationPath`): who names one wants what it leads to.
    fn place(&self, to: &Path) -> Result<Place, CommandError> {
        let wrong = |source| CommandError::WriteFile { path: to.to_owned(), source };
        let at = behind_links_here(to)?;
        match fs::metadata(&at) {
            Ok(there) if there.is_dir() => {
                let name = self.name.clone().filter(|_| !self.contents);
                return Ok(Place { folder: at, name, is_folder: false });
            }
            Ok(there) if is_device(there.file_type()) => {
                return Err(CopyError::DeviceHere(to.to_owned()).into());
            }
            _ => {}
        }
        let name = at.file_name().ok_or_else(|| wrong(io::ErrorKind::NotFound.into()))?.to_owned();
        let parent = at.parent().filter(|parent| *parent != Path::new(""));
        let folder = parent.unwrap_or(Path::new(".")).to_owned();
        if !folder.is_dir() {
            return Err(CopyError::NoParent(folder).into());
        }
        Ok(Place { folder, name: Some(name), is_folder: is_called_folder(&at) })
    }
}

fn is_device(kind: FileType) -> bool {
    kind.is_char_device() || kind.is_block_device()
}

/// The path that is no link, which may be where nothing is yet.
fn behind_links_here(path: &Path) -> Result<PathBuf, CommandError> {
    let mut at = path.to_owned();
    for _ in 0..=MOST_LINKS {
        match fs::read_link(&at) {
            Ok(target) => at = at.parent().unwrap_or(Path::new("/")).join(target),
            Err(_) => return Ok(at),
        }
    }
    Err(CopyError::Links(path.to_owned()).into())
}

/// Takes one file or folder, or a folder's contents; says how many bytes its files have.
pub(super) fn files(
    files: &Files,
    from: &Source,
    to: &Path,
    budget: Budget,
    owners: bool,
) -> Result<u64, CommandError> {
    let wrong = |source| CommandError::WriteFile { path: to.to_owned(), source };
    let place = from.place(to)?;
    let top = from.top();
    let (read, write) = pipe_with(PipeFlags::CLOEXEC).map_err(|error| wrong(error.into()))?;
    let signals = Signals::catch().map_err(VmError::Signals)?;
    let number = AtomicU8::new(0);
    thread::scope(|scope| {
        let archive = Interruptible {
            archive: File::from(read),
            signals: &signals,
            next: Signals::next,
            number: &number,
        };
        let archive = BufReader::with_capacity(BUFFER, archive);
        let unpacking = scope.spawn(|| {
            let unpacked = unpack(archive, top.as_deref(), &place.folder, budget, owners);
            match number.load(Ordering::Relaxed) {
                0 => unpacked,
                number => {
                    // All of it is removed first. The container may not learn that nobody waits for it.
                    drop(unpacked);
                    process::exit(SIGNALLED + i32::from(number))
                }
            }
        });
        let taken = files.take(&from.path, write.as_fd());
        drop(write);
        let unpacked = unpacking.join().map_err(|_| wrong(io::Error::other("a panic")))?;
        // Once it is refused here, the other side can't write any more, and says only that.
        match &unpacked {
            Err(error) if !error.is_cut() => {}
            _ => taken?,
        }
        let put = unpacked.and_then(|unpacked| {
            let (size, left_out) = (unpacked.size, unpacked.left_out);
            unpacked.put(&place)?;
            if left_out > 0 {
                log::warn!("{}: left out {left_out} devices", from.path.display());
            }
            Ok(size)
        });
        put.map_err(|error| CommandError::Unpack { path: to.to_owned(), source: Box::new(error) })
    })
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_path_says_what_is_taken_and_its_name() {
        for (path, name, contents, top) in [
            ("/etc/nginx", Some("nginx"), false, Some("nginx")),
            ("/etc/nginx/", Some("nginx"), false, Some("nginx")),
            ("/etc/nginx/.", Some("nginx"), true, None),
            ("/", None, true, None),
        ] {
            let source = Source::new(Path::new(path));
            assert_eq!(
                (source.name.as_deref(), source.contents),
                (name.map(OsStr::new), contents),
                "{path}"
            );
            assert_eq!(source.top().as_deref(), top.map(OsStr::new), "{path}");
        }
    }

    #[test]
    fn it_goes_where_docker_puts_it() {
        let work = tempfile::tempdir().unwrap();
        let at = |path: &str| PathBuf::from(format!("{}/{path}", work.path().display()));
        fs::create_dir(at("folder")).unwrap();
        fs::write(at("file"), "").unwrap();
        let place = |from: &str, to: &str| {
            let place = Source::new(Path::new(from)).place(&at(to)).ok()?;
            let name = place.name.map(|name| name.into_string().unwrap());
            Some((place.folder, name, place.is_folder))
        };
        let here = at("").components().collect::<PathBuf>();
        let named = |name: &str| Some(name.to_owned());
        // Into a folder, with its name or without.
        for to in ["folder", "folder/", "folder/."] {
            assert_eq!(place("/etc/passwd", to), Some((at(to), named("passwd"), false)));
            assert_eq!(place("/etc/.", to), Some((at(to), None, false)));
            assert_eq!(place("/", to), Some((at(to), None, false)));
        }
        // In the place of a file, or a new one, which a folder may make only where a / says so.
        for (to, name, is_folder) in [
            ("file", "file", false),
            ("new", "new", false),
            ("new/", "new", true),
            ("new/.", "new", true),
        ] {
            assert_eq!(place("/etc/x", to), Some((here.clone(), named(name), is_folder)), "{to}");
        }
        // Where a link leads, also to what is not there yet; a chain of them, and one from a folder.
        for (link, target) in [
            ("to-folder", "folder"),
            ("to-file", "file"),
            ("to-new", "new"),
            ("chain", "folder/back"),
            ("folder/back", "../file"),
        ] {
            symlink(target, at(link)).unwrap();
        }
        assert_eq!(place("/etc/x", "to-folder"), Some((at("folder"), named("x"), false)));
        for (link, folder, name) in [
            ("to-file", at(""), "file"),
            ("to-new", at(""), "new"),
            ("chain", at("folder/.."), "file"),
        ] {
            let found = place("/etc/x", link).unwrap();
            assert_eq!(
                (found.0.components(), found.1),
                (folder.components(), named(name)),
                "{link}"
            );
        }
        symlink("loop", at("loop")).unwrap();
        let error = Source::new(Path::new("/x")).place(&at("loop")).unwrap_err();
        assert!(
            error.to_string().contains("loop is at the start of more than 40 links"),
            "{error}"
        );
        let error = Source::new(Path::new("/x")).place(Path::new("/dev/null")).unwrap_err();
        assert!(error.to_string().starts_with("/dev/null is a device of this machine"), "{error}");
        // A folder to be in is not made.
        assert_eq!(place("/etc/x", "no/new"), None);
        assert_eq!(place("/etc/x", "file/new"), None);
        let error = Source::new(Path::new("/x")).place(&at("no/new")).unwrap_err().to_string();
        assert_eq!(error, format!("there is no folder {}", at("no").display()));
        assert_eq!(fs::read_dir(work.path()).unwrap().count(), 7);
    }
}
