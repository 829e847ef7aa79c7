//! The scratch disk: a sparse file with an empty ext4 file system.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::error::VmError;

/// Make a scratch disk of `size` bytes in `folder`.
///
/// It lives as long as its VM, so it needs no journal, and its tables are left to be written when they are used.
pub fn make(folder: &Path, size: u64) -> Result<PathBuf, VmError> {
    let path = folder.join("scratch.ext4");
    let failed = |source| VmError::Scratch { path: path.clone(), source };
    File::create_new(&path).and_then(|file| file.set_len(size)).map_err(failed)?;
    let output = Command::new("mke2fs")
        .args(["-q", "-F", "-t", "ext4", "-O", "^has_journal", "-m", "0"])
        .args(["-E", "lazy_itable_init=1,nodiscard,root_owner=0:0"])
        .arg(&path)
        // mke2fs is in a folder that is not everybody's.
        .env("PATH", search_path())
        .stdin(Stdio::null())
        .output();
    match output {
        Ok(output) if output.status.success() => Ok(path),
        Ok(output) => {
            let message = String::from_utf8_lossy(&output.stderr);
            let message = message.lines().next_back().unwrap_or_default().to_owned();
            Err(VmError::Mke2fs { path, message })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(VmError::NoMke2fs),
        Err(error) => Err(failed(error)),
    }
}

fn search_path() -> std::ffi::OsString {
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    path.push(":/usr/sbin:/sbin");
    path
}
