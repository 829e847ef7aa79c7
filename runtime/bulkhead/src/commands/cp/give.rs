//! From this machine to a container.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;

use rustix::pipe::{PipeFlags, pipe_with};

use super::error::CopyError;
use super::files::Files;
use super::look::{There, behind_links};
use super::path::{is_called_folder, is_contents};
use super::stream::expand;
use crate::error::CommandError;
use host::pump::BUFFER;
use images::image::decompress;
use protocol::archive::{Owner, Packer};

/// What is given to a container.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Source {
    /// As the person named it.
    text: PathBuf,
    path: PathBuf,
    /// What it is called there unless it gets a new name.
    name: OsString,
    is_folder: bool,
}

impl Source {
    /// A link is a link unless it is to be followed, which a `/` behind it also says; `/.` stands for what is in a folder.
    pub fn new(text: &Path, follow: bool) -> Result<Self, CommandError> {
        let wrong = |source| CommandError::ReadFile { path: text.to_owned(), source };
        let path = if follow { fs::canonicalize(text).map_err(wrong)? } else { text.to_owned() };
        let metadata = fs::symlink_metadata(&path).map_err(wrong)?;
        if metadata.file_type().is_socket() {
            return Err(CopyError::Socket(text.to_owned()).into());
        }
        let is_folder = metadata.is_dir();
        let name = match text.file_name() {
            _ if is_contents(text) => None,
            Some(name) => Some(name.to_owned()),
            None => fs::canonicalize(text).map_err(wrong)?.file_name().map(OsStr::to_owned),
        };
        let name = name.unwrap_or_else(|| OsString::from("."));
        Ok(Self { text: text.to_owned(), path, name, is_folder })
    }

    /// The folder of the container that it goes to, and its name in it (docker's table; moby `PrepareArchiveCopy`).
    fn place<'a>(
        &'a self,
        path: &'a Path,
        there: There,
    ) -> Result<(&'a Path, &'a OsStr), CommandError> {
        match there {
            There::Folder => return Ok((path, &self.name)),
            There::Device => return Err(CopyError::Device(path.to_owned()).into()),
            // A file makes no folder.
            There::Nothing(why) if is_called_folder(path) && !self.is_folder => return Err(*why),
            There::Other | There::Link(_) if self.is_folder => {
                return Err(CopyError::NoFolderThere(path.to_owned()).into());
            }
            _ => {}
        }
        match (path.parent(), path.file_name()) {
            (Some(parent), Some(name)) => Ok((parent, name)),
            _ => Ok((path, &self.name)),
        }
    }
}

/// Packs files for the container; says how many bytes its archive has.
pub(super) fn files(
    files: &Files,
    from: &Source,
    path: &Path,
    owner: Owner,
) -> Result<u64, CommandError> {
    let wrong = |source| CommandError::ReadFile { path: from.text.clone(), source };
    let (path, there) = behind_links(files, path)?;
    let (folder, name) = from.place(&path, there)?;
    let (read, write) = pipe_with(PipeFlags::CLOEXEC).map_err(|error| wrong(error.into()))?;
    thread::scope(|scope| {
        let packing = scope.spawn(|| -> io::Result<u64> {
            let mut out =
                Counted { to: BufWriter::with_capacity(BUFFER, File::from(write)), count: 0 };
            let mut archive = Packer::new(&mut out, owner);
            archive.pack(&from.path, Path::new(name), |_, _| Ok(true))?;
            archive.finish()?;
            Ok(out.count)
        });
        let given = files.give(folder, read.as_fd());
        drop(read);
        let packed = packing.join().unwrap_or_else(|_| Err(io::Error::other("a panic")));
        match packed {
            // The container has ended it, and knows why.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => given.and(Err(wrong(error))),
            Err(error) => Err(wrong(error)),
            Ok(size) => given.map(|()| size),
        }
    })
}

/// Gives standard input, whose archive may be compressed, to a folder of the container.
pub(super) fn stream(files: &Files, path: &Path) -> Result<(), CommandError> {
    let wrong = |source| CommandError::ReadFile { path: "-".into(), source };
    let (read, write) = pipe_with(PipeFlags::CLOEXEC).map_err(|error| wrong(error.into()))?;
    let (say, heard) = mpsc::channel();
    // On its own: it may wait for more input than the container wants.
    let reading = thread::Builder::new().name("input".into()).spawn(move || {
        let mut write = BufWriter::with_capacity(BUFFER, File::from(write));
        let copied = decompress(io::stdin()).and_then(|data| expand(data, &mut write));
        // Said before the container sees the end.
        let _ = say.send(copied.and_then(|()| write.flush()));
    });
    reading.map_err(wrong)?;
    let given = files.give(path, read.as_fd());
    drop(read);
    match heard.try_recv() {
        Ok(Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => Err(wrong(error)),
        _ => given,
    }
}

/// Counts what is written.
struct Counted<W> {
    to: W,
    count: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let written = self.to.write(data)?;
        self.count += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_link_is_copied_under_its_own_name() {
        let work = tempfile::tempdir().unwrap();
        let at = |path: &str| PathBuf::from(format!("{}/{path}", work.path().display()));
        fs::create_dir(at("folder")).unwrap();
        fs::write(at("target"), "text").unwrap();
        symlink("target", at("link")).unwrap();
        symlink("folder", at("way")).unwrap();
        symlink("/nowhere/at/all", at("dangling")).unwrap();
        let source = |text: &str, follow| Source::new(&at(text), follow).ok();
        for (text, follow, name, is_folder, path) in [
            ("link", false, "link", false, "link"),
            ("link", true, "link", false, "target"),
            ("dangling", false, "dangling", false, "dangling"),
            ("way", false, "way", false, "way"),
            ("way/", false, "way", true, "way/"),
            ("way", true, "way", true, "folder"),
            ("way/.", false, ".", true, "way/."),
            ("way/.", true, ".", true, "folder"),
            ("folder/./", false, ".", true, "folder/./"),
            (
                "folder/..",
                false,
                &work.path().file_name().unwrap().to_string_lossy(),
                true,
                "folder/..",
            ),
        ] {
            let source = source(text, follow).unwrap();
            let path = if follow { fs::canonicalize(at(path)).unwrap() } else { at(path) };
            assert_eq!(
                (&*source.name, source.is_folder, source.path.as_os_str()),
                (OsStr::new(name), is_folder, path.as_os_str()),
                "{text}"
            );
        }
        let _socket = UnixListener::bind(at("socket")).unwrap();
        let error = Source::new(&at("socket"), false).unwrap_err().to_string();
        assert!(error.contains("socket is a socket"), "{error}");
        for (text, follow) in [("dangling", true), ("none", false), ("target/", false)] {
            assert_eq!(source(text, follow), None, "{text}");
        }
    }

    #[test]
    fn it_goes_where_docker_puts_it() {
        let source = |name: &str, is_folder| Source {
            text: PathBuf::new(),
            path: PathBuf::new(),
            name: name.into(),
            is_folder,
        };
        let (file, folder, contents) = (source("f", false), source("d", true), source(".", true));
        let nothing = || There::Nothing(Box::new(CommandError::NoImage("gone".to_owned())));
        let place = |source: &Source, path: &str, there: There| {
            let place = source.place(Path::new(path), there).map_err(|error| error.to_string());
            place.map(|(to, name)| format!("{} {}", to.display(), name.display()))
        };
        for (source, path, there, wanted) in [
            (&file, "/a", There::Folder, Ok("/a f")),
            (&folder, "/a/", There::Folder, Ok("/a/ d")),
            (&contents, "/a", There::Folder, Ok("/a .")),
            (&file, "/", There::Folder, Ok("/ f")),
            (&file, "/a/b", There::Other, Ok("/a b")),
            (&folder, "/a/b", There::Other, Err("/a/b is in the container and is no folder")),
            (&contents, "/a/b", There::Other, Err("/a/b is in the container and is no folder")),
            (&file, "/a/b", nothing(), Ok("/a b")),
            (&folder, "/a/b", nothing(), Ok("/a b")),
            (&folder, "/a/b/", nothing(), Ok("/a b")),
            (&contents, "/a/b/.", nothing(), Ok("/a b")),
            (&file, "/a/b/", nothing(), Err("'gone'")),
            (&file, "/a/b/.", nothing(), Err("'gone'")),
            (&file, "/dev/null", There::Device, Err("/dev/null is a device")),
        ] {
            match (place(source, path, there), wanted) {
                (Ok(place), Ok(wanted)) => assert_eq!(place, wanted),
                (Err(error), Err(wanted)) => assert!(error.starts_with(wanted), "{error}"),
                (place, wanted) => panic!("{path}: {place:?}, not {wanted:?}"),
            }
        }
    }
}
