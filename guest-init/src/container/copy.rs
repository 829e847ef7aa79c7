//! Files in and out, as a tar archive.

use std::fs::{self, File, Metadata};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Component, Path};

use protocol::ByteString;

use crate::error::{During, StartError};

/// File systems in which the kernel shows itself, or keeps what goes with the machine (Linux `include/uapi/linux/magic.h`): proc,
/// sysfs, cgroup2, devpts, mqueue and tmpfs. docker's `cp` does not see what is mounted there either.
const NOT_ON_DISK: [u64; 6] = [0x9fa0, 0x6265_6572, 0x6367_7270, 0x1cd1, 0x1980_0202, 0x0102_1994];

/// Writes `path` to standard output. Links are archived as links; what `path` itself links to is not followed either.
pub(super) fn out(path: &ByteString) -> Result<(), StartError> {
    let source = Path::new(path.as_os_str());
    // The root has no name of its own.
    let name = match source.components().next_back() {
        Some(Component::Normal(name)) => Path::new(name),
        _ => Path::new("."),
    };
    pack(source, name, BufWriter::new(io::stdout().lock())).during(format!("copy {path}"))
}

/// Archives `source` as `name`. What goes away meanwhile is left out, and so are sockets, which are nothing without who made
/// them.
fn pack(source: &Path, name: &Path, out: impl Write) -> io::Result<()> {
    let mut archive = tar::Builder::new(out);
    let device = fs::symlink_metadata(source)?.dev();
    let mut pending = vec![(source.to_owned(), name.to_owned())];
    while let Some((path, name)) = pending.pop() {
        let is_top = path == source;
        let gone = |error: &io::Error| !is_top && error.kind() == io::ErrorKind::NotFound;
        let metadata = match fs::symlink_metadata(&path) {
            Err(error) if gone(&error) => continue,
            metadata => metadata?,
        };
        if metadata.is_dir() && (is_top || metadata.dev() == device || is_on_disk(&path)?) {
            for entry in fs::read_dir(&path)? {
                let entry = entry?;
                pending.push((entry.path(), name.join(entry.file_name())));
            }
        }
        match append(&mut archive, &path, &name, &metadata) {
            Err(error) if gone(&error) => {}
            result => result?,
        }
    }
    archive.into_inner()?.flush()
}

fn append<W: Write>(
    archive: &mut tar::Builder<W>,
    path: &Path,
    name: &Path,
    metadata: &Metadata,
) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_metadata(metadata);
    let kind = metadata.file_type();
    if kind.is_symlink() {
        return archive.append_link(&mut header, name, fs::read_link(path)?);
    }
    if kind.is_file() {
        let file = File::open(path)?;
        // As long as the header says, however it grows or shrinks meanwhile; a sparse file is the host's to make.
        let size = metadata.len();
        let data = file.take(size).chain(io::repeat(0)).take(size);
        return archive.append_data(&mut header, name, data);
    }
    if kind.is_char_device() || kind.is_block_device() {
        header.set_device_major(rustix::fs::major(metadata.rdev()))?;
        header.set_device_minor(rustix::fs::minor(metadata.rdev()))?;
    }
    if kind.is_socket() { Ok(()) } else { archive.append_data(&mut header, name, io::empty()) }
}

/// Whether a folder on which something is mounted has files that stay.
fn is_on_disk(folder: &Path) -> io::Result<bool> {
    Ok(!NOT_ON_DISK.contains(&(rustix::fs::statfs(folder)?.f_type as u64)))
}

/// Unpacks standard input in the folder `path`, with owners and modes.
pub(super) fn into(path: &ByteString) -> Result<(), StartError> {
    let folder = Path::new(path.as_os_str());
    let what = || format!("copy to {path}");
    if !fs::metadata(folder).during(what())?.is_dir() {
        return Err(io::Error::from(io::ErrorKind::NotADirectory)).during(what());
    }
    let mut archive = tar::Archive::new(BufReader::new(io::stdin().lock()));
    archive.set_preserve_permissions(true);
    archive.set_preserve_ownerships(true);
    archive.set_preserve_mtime(true);
    archive.set_unpack_xattrs(false);
    archive.unpack(folder).during(what())?;
    // What follows the archive's end is padding; the host must not find the stream closed on it.
    io::copy(&mut archive.into_inner(), &mut io::sink()).map(drop).during(what())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    /// Names, and the data of files or what links refer to.
    fn entries(source: &Path, name: &str) -> Vec<(String, String)> {
        let mut out = Vec::new();
        pack(source, Path::new(name), &mut out).unwrap();
        let mut entries = Vec::new();
        for entry in tar::Archive::new(&out[..]).entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            if let Some(target) = entry.link_name().unwrap() {
                text = target.display().to_string();
            }
            let name = entry.path().unwrap().display().to_string();
            entries.push((name.trim_start_matches("./").trim_end_matches('/').to_owned(), text));
        }
        entries.sort();
        entries
    }

    #[test]
    fn a_folder_is_archived_without_what_is_none_of_its_files() {
        let work = tempfile::tempdir().unwrap();
        let folder = work.path().join("folder");
        let long = "n".repeat(200);
        fs::create_dir_all(folder.join("sub")).unwrap();
        fs::write(folder.join("sub").join(&long), "data").unwrap();
        fs::write(folder.join("holes"), "").unwrap();
        File::options().write(true).open(folder.join("holes")).unwrap().set_len(1 << 20).unwrap();
        symlink("/nowhere", folder.join("link")).unwrap();
        let _socket = UnixListener::bind(folder.join("socket")).unwrap();
        let entry = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        let expected = [
            entry("x", ""),
            entry("x/holes", &"\0".repeat(1 << 20)),
            entry("x/link", "/nowhere"),
            entry("x/sub", ""),
            entry(&format!("x/sub/{long}"), "data"),
        ];
        assert_eq!(entries(&folder, "x"), expected);
        // As the root is archived.
        let root = entries(&folder, ".").into_iter().map(|(name, _)| name);
        assert_eq!(root.collect::<Vec<_>>(), [".", "holes", "link", "sub", &format!("sub/{long}")]);
        assert_eq!(entries(&folder.join("link"), "l"), [entry("l", "/nowhere")]);
        assert!(pack(&folder.join("none"), Path::new("n"), io::sink()).is_err());
    }

    #[test]
    fn the_kernels_own_files_are_told_apart() {
        assert!(!is_on_disk(Path::new("/proc")).unwrap());
        assert!(is_on_disk(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap());
        // A file of it has a length of nothing, and is archived so; what it gives is no part of the archive.
        assert_eq!(entries(Path::new("/proc/version"), "v"), [("v".to_owned(), String::new())]);
    }
}
