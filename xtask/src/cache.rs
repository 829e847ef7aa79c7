//! What is downloaded or derived once, in folders of [`host::cache`]'s.
//!
//! Everything in it is written aside and renamed, so that a reader sees either nothing or the whole,
//! and a lock keeps two runs from doing the same work twice.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use host::cache::folder;
use rustix::fs::FlockOperation;
use tempfile::TempDir;

use crate::error::{Doing, Error};

/// Directories being filled have this prefix; one without a lock holder was left by a killed run.
const ASIDE_PREFIX: &str = ".new-";

/// A folder of the cache.
pub struct Cache {
    root: PathBuf,
}

impl Cache {
    /// The part `name` of this user's cache; created when it is not there.
    pub fn open(name: &str) -> Result<Cache, Error> {
        Cache::at(folder()?.join(name))
    }

    fn at(root: PathBuf) -> Result<Cache, Error> {
        fs::create_dir_all(&root).doing(|| format!("create {}", root.display()))?;
        Ok(Cache { root })
    }

    /// The path of `entry`, there or not.
    pub fn path(&self, entry: &str) -> PathBuf {
        self.root.join(entry)
    }

    /// Waits until no other run fills this folder. The lock ends with the returned file.
    pub fn lock(&self) -> Result<File, Error> {
        let path = self.path(".lock");
        let file = File::create(&path).doing(|| format!("create {}", path.display()))?;
        rustix::fs::flock(&file, FlockOperation::LockExclusive)
            .doing(|| format!("lock {}", path.display()))?;
        Ok(file)
    }

    /// The directory `entry`; when it is not there, `fill` makes its content.
    pub fn directory(
        &self,
        entry: &str,
        fill: impl FnOnce(&Path) -> Result<(), Error>,
    ) -> Result<PathBuf, Error> {
        let path = self.path(entry);
        if path.is_dir() {
            return Ok(path);
        }
        let lock = self.lock()?;
        if path.is_dir() {
            return Ok(path);
        }
        self.sweep(&lock)?;
        let aside = self.aside()?;
        fill(aside.path())?;
        fs::rename(aside.keep(), &path).doing(|| format!("create {}", path.display()))?;
        Ok(path)
    }

    /// Makes the symbolic link `entry` point to `target`, in one step.
    pub fn link(&self, entry: &str, target: &str) -> Result<(), Error> {
        // Nobody waits for whoever makes another entry, which may take minutes.
        if fs::read_link(self.path(entry)).is_ok_and(|found| found == Path::new(target)) {
            return Ok(());
        }
        let _lock = self.lock()?;
        let aside = self.aside()?;
        let link = aside.path().join("link");
        std::os::unix::fs::symlink(target, &link)
            .and_then(|()| fs::rename(&link, self.path(entry)))
            .doing(|| format!("link {}", self.path(entry).display()))
    }

    fn aside(&self) -> Result<TempDir, Error> {
        tempfile::Builder::new()
            .prefix(ASIDE_PREFIX)
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .tempdir_in(&self.root)
            .doing(|| format!("write to {}", self.root.display()))
    }

    /// Removes what killed runs left half done. Only for the holder of the lock.
    fn sweep(&self, _lock: &File) -> Result<(), Error> {
        let doing = || format!("clean {}", self.root.display());
        for entry in fs::read_dir(&self.root).doing(doing)? {
            let entry = entry.doing(doing)?;
            if entry.file_name().to_string_lossy().starts_with(ASIDE_PREFIX) {
                fs::remove_dir_all(entry.path()).doing(doing)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_filled_once_and_appears_whole() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(dir.path().join("part")).unwrap();
        let fill = |content: &'static str| {
            move |path: &Path| fs::write(path.join("file"), content).doing(|| "write".into())
        };
        let failed = cache.directory("entry", |_| Err(Error::Content("no".into())));
        assert!(failed.is_err() && !cache.path("entry").exists());
        let path = cache.directory("entry", fill("first")).unwrap();
        cache.directory("entry", fill("second")).unwrap();
        assert_eq!(fs::read_to_string(path.join("file")).unwrap(), "first");
    }

    #[test]
    fn a_link_is_replaced_and_leftovers_are_swept() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(dir.path().to_owned()).unwrap();
        cache.link("current", "one").unwrap();
        cache.link("current", "two").unwrap();
        assert_eq!(fs::read_link(cache.path("current")).unwrap(), Path::new("two"));
        fs::create_dir(cache.path(".new-left")).unwrap();
        let lock = cache.lock().unwrap();
        cache.sweep(&lock).unwrap();
        assert!(!cache.path(".new-left").exists());
    }
}
