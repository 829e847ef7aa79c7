//! The scratch disk: a sparse file with an empty ext4 file system.

use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::error::VmError;
use host::cache::Cache;
use host::program;

/// A disk for what one container writes. Its file has no name: it is gone with this process and the VMM, however
/// they end. It is in the cache's file system, because a folder for running VMs is often memory.
pub struct Scratch {
    file: File,
}

impl Scratch {
    /// A disk of `size` bytes. It lives as long as its VM, so its file system needs no journal.
    pub fn new(cache: &Cache, size: u64) -> Result<Self, VmError> {
        let scratch = Self { file: cache.scratch_file()? };
        scratch.file.set_len(size).map_err(VmError::Scratch)?;
        format(&scratch.path(), "^has_journal")?;
        Ok(scratch)
    }

    /// Where a child of this process finds the file (proc(5), `/proc/pid/fd`).
    pub fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/fd/{}", std::process::id(), self.file.as_raw_fd()))
    }
}

/// A disk of `size` bytes that stays at `path`, made when it is not there. A VM may be killed while it writes, so it has a
/// journal.
pub fn keep(path: &Path, size: u64) -> Result<(), VmError> {
    if path.exists() {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(Path::new("/"));
    // Never half made at its place.
    let file = tempfile::NamedTempFile::new_in(folder).map_err(VmError::Scratch)?;
    file.as_file().set_len(size).map_err(VmError::Scratch)?;
    format(file.path(), "has_journal")?;
    file.persist(path).map_err(|error| VmError::Scratch(error.error))?;
    Ok(())
}

/// Its tables are left to be written when they are used.
fn format(path: &Path, journal: &str) -> Result<(), VmError> {
    let output = Command::new(mke2fs()?)
        .args(["-q", "-F", "-t", "ext4", "-O", journal, "-m", "0"])
        .args(["-E", "lazy_itable_init=1,lazy_journal_init=1,nodiscard,root_owner=0:0"])
        .arg(path)
        .stdin(Stdio::null())
        .output()
        .map_err(VmError::Scratch)?;
    if output.status.success() {
        return Ok(());
    }
    let message = String::from_utf8_lossy(&output.stderr);
    let message = message.lines().next_back().unwrap_or_default().to_owned();
    Err(VmError::Mke2fs { message })
}

/// The program that makes the file system. It is in a folder that is not on everybody's PATH.
pub fn mke2fs() -> Result<PathBuf, VmError> {
    find_mke2fs(&std::env::var_os("PATH").unwrap_or_default()).ok_or(VmError::NoMke2fs)
}

fn find_mke2fs(path: &OsStr) -> Option<PathBuf> {
    let folders = program::folders(path).chain(["/usr/sbin".into(), "/sbin".into()]);
    folders.map(|folder| folder.join("mke2fs")).find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_program_of_the_current_folder_is_never_run() {
        let here = tempfile::tempdir_in(".").unwrap();
        std::fs::write(here.path().join("mke2fs"), "").unwrap();
        let relative = here.path().file_name().unwrap();
        for path in [OsStr::new(""), OsStr::new(":"), OsStr::new("."), relative] {
            assert_eq!(program::folders(path).count(), 0, "{path:?}");
            assert!(find_mke2fs(path).is_none_or(|found| found.is_absolute()), "{path:?}");
        }
        let path =
            std::env::join_paths([Path::new(""), &std::path::absolute(here.path()).unwrap()]);
        let found = find_mke2fs(&path.unwrap()).unwrap();
        assert!(found.is_absolute() && found.ends_with(Path::new(relative).join("mke2fs")));
    }

    #[test]
    fn a_scratch_disk_is_an_ext4_file_system_without_a_name() {
        let work = tempfile::tempdir().unwrap();
        let cache = Cache::open(work.path().join("cache")).unwrap();
        let scratch = match Scratch::new(&cache, 64 << 20) {
            Err(VmError::NoMke2fs) => {
                println!(
                    "SKIPPED: a_scratch_disk_is_an_ext4_file_system_without_a_name: mke2fs is not installed"
                );
                return;
            }
            scratch => scratch.unwrap(),
        };
        let mut start = Vec::new();
        File::open(scratch.path()).unwrap().take(2048).read_to_end(&mut start).unwrap();
        // The superblock is at byte 1024, its magic number 0xEF53 at 56 in it (Linux fs/ext4/ext4.h).
        assert_eq!(&start[1024 + 56..1024 + 58], [0x53, 0xef]);
        assert_eq!(scratch.file.metadata().unwrap().len(), 64 << 20);
        use std::os::unix::fs::MetadataExt;
        assert_eq!(scratch.file.metadata().unwrap().nlink(), 0);
    }
}
