//! From a container to this machine.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufReader};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::thread;

use rustix::pipe::{PipeFlags, pipe_with};

use super::files::Files;
use super::look::behind_links;
use crate::commands::unpack::{Budget, Place, unpack};
use crate::error::CommandError;
use host::pump::BUFFER;

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
    /// As docker reads a path: `..` by its text, and `/.` at the end for a folder's contents.
    pub fn new(text: &Path) -> Self {
        let mut path = PathBuf::from("/");
        for component in text.components() {
            match component {
                Component::Normal(name) => path.push(name),
                Component::ParentDir => drop(path.pop()),
                _ => {}
            }
        }
        let name = path.file_name().map(OsString::from);
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

    /// Where it goes.
    fn place(&self, to: &Path) -> io::Result<Place> {
        // Into a folder that is there; otherwise the last name is the new one.
        if to.is_dir() {
            let name = self.name.clone().filter(|_| !self.contents);
            return Ok(Place { folder: to.to_owned(), name, is_folder: false });
        }
        let name = to.file_name().ok_or(io::ErrorKind::NotFound)?.to_owned();
        let parent = to.parent().filter(|parent| *parent != Path::new(""));
        let folder = parent.unwrap_or(Path::new(".")).to_owned();
        if !folder.is_dir() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let is_folder = to.as_os_str().as_bytes().ends_with(b"/") || is_contents(to);
        Ok(Place { folder, name: Some(name), is_folder })
    }
}

fn is_contents(path: &Path) -> bool {
    path.as_os_str().as_bytes().ends_with(b"/.")
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
    let place = from.place(to).map_err(wrong)?;
    let top = from.top();
    let (read, write) = pipe_with(PipeFlags::CLOEXEC).map_err(|error| wrong(error.into()))?;
    thread::scope(|scope| {
        let archive = BufReader::with_capacity(BUFFER, File::from(read));
        let unpacking =
            scope.spawn(|| unpack(archive, top.as_deref(), &place.folder, budget, owners));
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
    use std::fs;

    use super::*;

    #[test]
    fn a_path_in_a_container_is_read_as_docker_reads_it() {
        for (text, path, name, contents, top) in [
            ("/etc/nginx", "/etc/nginx", Some("nginx"), false, Some("nginx")),
            ("/etc/nginx/", "/etc/nginx/", Some("nginx"), false, Some("nginx")),
            ("/etc/nginx/.", "/etc/nginx/.", Some("nginx"), true, None),
            ("/etc/./nginx/../hosts", "/etc/hosts", Some("hosts"), false, Some("hosts")),
            ("/etc/..", "/", None, true, None),
            ("/../../etc", "/etc", Some("etc"), false, Some("etc")),
            ("/", "/", None, true, None),
            ("/.", "/", None, true, None),
        ] {
            let source = Source::new(Path::new(text));
            assert_eq!(source.path.as_os_str(), path, "{text}");
            assert_eq!(
                (source.name.as_deref(), source.contents),
                (name.map(OsStr::new), contents),
                "{text}"
            );
            assert_eq!(source.top().as_deref(), top.map(OsStr::new), "{text}");
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
        // A folder to be in is not made.
        assert_eq!(place("/etc/x", "no/new"), None);
        assert_eq!(place("/etc/x", "file/new"), None);
        assert_eq!(fs::read_dir(work.path()).unwrap().count(), 2);
    }
}
