//! What is known of an attachment besides what the kernel knows: where it is, and whose. One file for each, which its
//! owner has locked: a file without a lock is a dead owner's, and says where to look for what that has left.
//!
//! A file is the cookie, the namespace's path, a NUL, and the owner.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::error::Fault;
use super::redirect::{COOKIE, Cookie};

/// The start of each file's name: the folder has other things, too.
const PREFIX: &str = "attached-";

/// PATH_MAX, linux/limits.h: no path is longer, in bytes.
const PATH_MAX: u64 = 4096;

/// An owner is a few words, with a name of at most 255 bytes.
const MAX_OWNER: u64 = 512;

/// A record of this process's.
#[derive(Debug)]
pub(super) struct Record {
    path: PathBuf,
    /// Locked as long as it is open.
    file: File,
}

/// What a record tells.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) cookie: Cookie,
    pub(super) namespace: PathBuf,
    pub(super) owner: String,
}

/// Whose something is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Alive(String),
    /// It has ended, and its VM is about to.
    Dead,
    /// No record tells it.
    Unknown,
}

impl Record {
    /// Writes down that `namespace` has what is marked with `cookie`, or is going to, and that this is `owner`'s.
    pub(super) fn new(
        folder: &Path,
        cookie: &Cookie,
        namespace: &Path,
        owner: &str,
    ) -> Result<Self, Fault> {
        let failed = |source| Fault::Record { path: folder.to_owned(), source };
        let make = || {
            let _lock = lock(folder)?;
            let (file, path) =
                tempfile::Builder::new().prefix(PREFIX).tempfile_in(folder)?.keep()?;
            flock(&file, FlockOperation::LockExclusive)?;
            Ok(Self { path, file })
        };
        let mut record = make().map_err(failed)?;
        let namespace = std::path::absolute(namespace).map_err(failed)?;
        let text = [cookie, namespace.as_os_str().as_bytes(), &[0], owner.as_bytes()].concat();
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
}

impl Told {
    /// What stands in a record, if it was ever written.
    fn read(file: &mut File) -> Option<Self> {
        const MAX_LENGTH: u64 = COOKIE as u64 + PATH_MAX + 1 + MAX_OWNER;
        let mut bytes = Vec::new();
        file.take(MAX_LENGTH).read_to_end(&mut bytes).ok()?;
        let (cookie, rest) = bytes.split_first_chunk()?;
        let end = rest.iter().position(|&byte| byte == 0)?;
        let namespace = PathBuf::from(OsString::from_vec(rest[..end].to_vec()));
        let owner = String::from_utf8_lossy(&rest[end + 1..]).into_owned();
        namespace.is_absolute().then_some(Self { cookie: *cookie, namespace, owner })
    }
}

/// The records of the dead, which nobody else has from now on.
pub(super) fn of_the_dead(folder: &Path) -> Vec<(Record, Told)> {
    let mut dead = Vec::new();
    let Ok(_lock) = lock(folder) else { return dead };
    for (path, mut file) in files(folder) {
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            continue;
        }
        let told = Told::read(&mut file);
        let record = Record { path, file };
        match told {
            Some(told) => dead.push((record, told)),
            // Its owner died before it did anything.
            None => record.remove(),
        }
    }
    dead
}

/// Whose it is what is marked with `cookie`.
pub(super) fn owner(folder: &Path, cookie: &Cookie) -> Owner {
    let Ok(_lock) = lock(folder) else { return Owner::Unknown };
    for (_, mut file) in files(folder) {
        if let Some(told) = Told::read(&mut file)
            && told.cookie == *cookie
        {
            return match flock(&file, FlockOperation::NonBlockingLockShared) {
                Ok(()) => Owner::Dead,
                Err(_) => Owner::Alive(told.owner),
            };
        }
    }
    Owner::Unknown
}

/// All records that can be opened.
fn files(folder: &Path) -> impl Iterator<Item = (PathBuf, File)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let records =
        entries.filter(|entry| entry.file_name().as_bytes().starts_with(PREFIX.as_bytes()));
    records.filter_map(|entry| Some((entry.path(), File::open(entry.path()).ok()?)))
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
        let namespace = PathBuf::from("/run/netns/a b");
        let record = Record::new(&folder, &cookie, &namespace, "container web").unwrap();
        assert!(of_the_dead(&folder).is_empty());
        assert_eq!(owner(&folder, &cookie), Owner::Alive("container web".into()));
        assert_eq!(owner(&folder, b"bulkhead87654321"), Owner::Unknown);
        drop(record);
        assert_eq!(owner(&folder, &cookie), Owner::Dead);
        let dead = of_the_dead(&folder);
        let [(_, told)] = &dead[..] else { panic!("{dead:?}") };
        assert_eq!(*told, Told { cookie, namespace, owner: "container web".into() });
        // Whoever sweeps has it.
        assert!(of_the_dead(&folder).is_empty());
        assert_eq!(count(&folder), 1);
        dead.into_iter().for_each(|(record, _)| record.remove());
        assert_eq!((count(&folder), owner(&folder, &cookie)), (0, Owner::Unknown));
    }

    #[test]
    fn a_record_that_was_never_written_is_removed() {
        let work = tempfile::tempdir().unwrap();
        for text in [
            &b""[..],
            b"bulkhead",
            b"bulkhead12345678",
            b"bulkhead12345678/run/netns/a",
            b"bulkhead12345678run/netns/a\0web",
        ] {
            fs::write(work.path().join("attached-1"), text).unwrap();
            assert!(of_the_dead(work.path()).is_empty());
            assert_eq!(count(work.path()), 0, "{text:?}");
        }
        // What is none stays.
        fs::write(work.path().join("run-1"), "").unwrap();
        assert!(of_the_dead(work.path()).is_empty());
        assert_eq!(count(work.path()), 1);
        assert!(of_the_dead(&work.path().join("none/there")).is_empty());
    }
}
