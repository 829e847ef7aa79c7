//! What is known of an attachment besides what the kernel knows: where it is. One file for each, which its owner has
//! locked: a file without a lock is a dead owner's, and says where to look for what that has left.

use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::error::Fault;
use super::redirect::{COOKIE, Cookie};

/// PATH_MAX, linux/limits.h: no path is longer, in bytes.
const PATH_MAX: u64 = 4096;

/// A record of this process's.
#[derive(Debug)]
pub(super) struct Record {
    path: PathBuf,
    /// Locked as long as it is open.
    file: File,
}

impl Record {
    /// Writes down that `namespace` has what is marked with `cookie`, or is going to.
    pub(super) fn new(folder: &Path, cookie: &Cookie, namespace: &Path) -> Result<Self, Fault> {
        let failed = |source| Fault::Record { path: folder.to_owned(), source };
        let make = || {
            let _lock = lock(folder)?;
            let (file, path) = tempfile::NamedTempFile::new_in(folder)?.keep()?;
            flock(&file, FlockOperation::LockExclusive)?;
            Ok(Self { path, file })
        };
        let mut record = make().map_err(failed)?;
        let namespace = std::path::absolute(namespace).map_err(failed)?;
        let text = [cookie, namespace.as_os_str().as_bytes()].concat();
        // On a tmpfs, as what it tells of; neither outlives the machine.
        match record.file.write_all(&text) {
            Ok(()) => Ok(record),
            Err(error) => {
                record.remove();
                Err(failed(error))
            }
        }
    }

    /// There is nothing left to tell of.
    pub(super) fn remove(self) {
        // What cannot be removed now can be next time.
        let _ = fs::remove_file(&self.path);
    }

    /// What it tells, if it was ever written.
    fn read(&mut self) -> Option<(Cookie, PathBuf)> {
        let mut bytes = Vec::new();
        (&mut self.file).take(COOKIE as u64 + PATH_MAX).read_to_end(&mut bytes).ok()?;
        let (cookie, path) = bytes.split_first_chunk()?;
        let path = PathBuf::from(std::ffi::OsString::from_vec(path.to_vec()));
        path.is_absolute().then_some((*cookie, path))
    }
}

/// The records of the dead, which nobody else has from now on.
pub(super) fn of_the_dead(folder: &Path) -> Vec<(Record, Cookie, PathBuf)> {
    let mut dead = Vec::new();
    let Ok(_lock) = lock(folder) else { return dead };
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(file) = File::open(&path) else { continue };
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            continue;
        }
        let mut record = Record { path, file };
        match record.read() {
            Some((cookie, namespace)) => dead.push((record, cookie, namespace)),
            // Its owner died before it did anything.
            None => record.remove(),
        }
    }
    dead
}

/// Locks the folder, which is made where there is none: no record is seen between its making and its locking.
fn lock(folder: &Path) -> io::Result<File> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let lock = File::open(folder)?;
    flock(&lock, FlockOperation::LockExclusive)?;
    Ok(lock)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(folder: &Path) -> usize {
        fs::read_dir(folder).unwrap().count()
    }

    #[test]
    fn a_record_is_the_deads_when_nobody_has_it_open() {
        let work = tempfile::tempdir().unwrap();
        let folder = work.path().join("attached");
        let cookie = *b"bulkhead12345678";
        let record = Record::new(&folder, &cookie, Path::new("/run/netns/a b")).unwrap();
        assert!(of_the_dead(&folder).is_empty());
        drop(record);
        let dead = of_the_dead(&folder);
        let [(_, its, path)] = &dead[..] else { panic!("{dead:?}") };
        assert_eq!((its, path.as_path()), (&cookie, Path::new("/run/netns/a b")));
        // Whoever sweeps has it.
        assert!(of_the_dead(&folder).is_empty());
        assert_eq!(count(&folder), 1);
        dead.into_iter().for_each(|(record, ..)| record.remove());
        assert_eq!(count(&folder), 0);
    }

    #[test]
    fn a_record_that_was_never_written_is_removed() {
        let work = tempfile::tempdir().unwrap();
        for text in [&b""[..], b"bulkhead", b"bulkhead12345678", b"bulkhead12345678run/netns/a"] {
            fs::write(work.path().join("record"), text).unwrap();
            assert!(of_the_dead(work.path()).is_empty());
            assert_eq!(count(work.path()), 0, "{text:?}");
        }
        assert!(of_the_dead(&work.path().join("none/there")).is_empty());
    }
}
