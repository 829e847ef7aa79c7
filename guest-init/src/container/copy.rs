//! Files in and out, as a tar archive.

mod unpack;

use std::fs::{self, Metadata};
use std::io::{self, BufReader, BufWriter, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path};

use protocol::ByteString;
use protocol::archive::{Owner, Packer};

use crate::error::{During, StartError};

/// File systems in which the kernel shows itself, or keeps what goes with the machine (Linux `include/uapi/linux/magic.h`): proc,
/// sysfs, cgroup2, devpts, mqueue and tmpfs. docker's `cp` does not see what is mounted there either.
const NOT_ON_DISK: [u64; 6] = [0x9fa0, 0x6265_6572, 0x6367_7270, 0x1cd1, 0x1980_0202, 0x0102_1994];

/// Writes `path` to standard output. Links are archived as links; what `path` itself links to is not followed either, unless
/// it is called a folder.
pub(super) fn out(path: &ByteString) -> Result<(), StartError> {
    let source = Path::new(path.as_os_str());
    pack(source, name(source), BufWriter::new(io::stdout().lock())).during(format!("copy {path}"))
}

/// The top entry's: the root has no name of its own, and `/.` stands for what is in a folder.
fn name(source: &Path) -> &Path {
    match source.components().next_back() {
        Some(Component::Normal(name)) if !source.as_os_str().as_bytes().ends_with(b"/.") => {
            Path::new(name)
        }
        _ => Path::new("."),
    }
}

/// Archives `source` as `name`, without what is no file of the container's but of its kernel.
fn pack(source: &Path, name: &Path, out: impl Write) -> io::Result<()> {
    let device = fs::symlink_metadata(source)?.dev();
    let enters = |folder: &Path, metadata: &Metadata| {
        let is_top = folder.as_os_str() == source.as_os_str();
        Ok(is_top || metadata.dev() == device || is_on_disk(folder)?)
    };
    let mut archive = Packer::new(out, Owner::Source);
    archive.pack(source, name, enters)?;
    archive.finish()
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
    // This process makes nothing but what it is told.
    rustix::process::umask(rustix::fs::Mode::empty());
    let mut archive = tar::Archive::new(BufReader::new(io::stdin().lock()));
    unpack::unpack(&mut archive, folder).during(what())?;
    // What follows the archive's end is padding; the host must not find the stream closed on it.
    io::copy(&mut archive.into_inner(), &mut io::sink()).map(drop).during(what())
}

#[cfg(test)]
mod tests;
