//! Files in and out, as a tar archive.

use std::fs;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Component, Path};

use protocol::ByteString;

use crate::error::{During, StartError};

/// Writes `path` to standard output. Links are archived as links; what `path` itself links to is not followed either.
pub(super) fn out(path: &ByteString) -> Result<(), StartError> {
    let source = Path::new(path.as_os_str());
    let what = || format!("copy {path}");
    let metadata = fs::symlink_metadata(source).during(what())?;
    let mut archive = tar::Builder::new(BufWriter::new(io::stdout().lock()));
    archive.follow_symlinks(false);
    archive.mode(tar::HeaderMode::Complete);
    // The root has no name of its own.
    let name = match source.components().next_back() {
        Some(Component::Normal(name)) => Path::new(name),
        _ => Path::new("."),
    };
    if metadata.is_dir() {
        archive.append_dir_all(name, source).during(what())?;
    } else {
        archive.append_path_with_name(source, name).during(what())?;
    }
    archive.into_inner().and_then(|mut out| out.flush()).during(what())
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
