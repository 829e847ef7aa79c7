//! The folder of one run: its configuration and its sockets.
//!
//! `$XDG_RUNTIME_DIR/bulkhead/run-…`, else `/run/bulkhead/run-…` for root and `/tmp/bulkhead-UID/run-…` for others
//! (on a network or shared file system, as `/tmp` can be, nobody would find the sockets). A run and its VMM hold a shared lock on
//! its folder for as long as each of them lives. A folder without a lock belongs to nobody any more, and the next run
//! removes it; a lock on the folder above keeps that from happening between a folder's making and its locking.
//! The sockets have a folder of their own in it, the only one that the VM still reaches from its jail.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::error::VmError;
use crate::network::attach;

/// The start of a run's folder's name.
const PREFIX: &str = "run-";

/// A folder that goes away with this value.
pub struct RunFolder {
    path: PathBuf,
    /// Locked; the lock ends with the file, and so with this process. The VMM has one too.
    _lock: File,
}

impl RunFolder {
    /// A new folder for a run of this user.
    pub fn new() -> Result<Self, VmError> {
        Self::new_in(&base())
    }

    /// Removes the folders of this user's runs that are no more, and what they left in network namespaces. What cannot be
    /// removed now can be next time.
    pub fn sweep() {
        let base = base();
        if base.is_dir()
            && let Ok(lock) = open_base(&base)
            && flock(&lock, FlockOperation::LockExclusive).is_ok()
        {
            sweep(&base);
            drop(lock);
            attach::sweep(&base);
        }
    }

    fn new_in(base: &Path) -> Result<Self, VmError> {
        let base_lock = open_base(base)?;
        flock(&base_lock, FlockOperation::LockExclusive)
            .map_err(|error| failed("lock", base)(error.into()))?;
        sweep(base);
        let folder = tempfile::Builder::new()
            .prefix(PREFIX)
            // Also for who has come into the folder of the sockets.
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(base)
            .map_err(failed("make", base))?;
        let file = File::open(folder.path()).map_err(failed("open", folder.path()))?;
        flock(&file, FlockOperation::LockShared)
            .map_err(|error| failed("lock", folder.path())(error.into()))?;
        let folder = Self { path: folder.keep(), _lock: file };
        drop(base_lock);
        attach::sweep(base);
        Ok(folder)
    }

    /// The folder above, which has the records of [`attach`](mod@attach) too.
    pub fn base(&self) -> &Path {
        self.path.parent().unwrap_or(&self.path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its name.
    pub fn name(&self) -> &str {
        // Ours, and so a text.
        self.path.file_name().and_then(OsStr::to_str).unwrap_or(PREFIX)
    }

    /// Makes the folder of its sockets.
    pub fn make_sockets(&self) -> Result<PathBuf, VmError> {
        let path = self.path.join("sockets");
        DirBuilder::new().mode(0o700).create(&path).map_err(failed("make", &path))?;
        Ok(path)
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        // The VMM removes it as well, perhaps at this moment.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// The folder above, of this user.
fn base() -> PathBuf {
    let user = rustix::process::geteuid();
    match std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from) {
        Some(path) if path.is_absolute() && path.is_dir() => path.join("bulkhead"),
        _ if user.is_root() && Path::new("/run").is_dir() => PathBuf::from("/run/bulkhead"),
        _ => PathBuf::from(format!("/tmp/bulkhead-{}", user.as_raw())),
    }
}

/// The folder above, which must be ours: in `/tmp`, anybody could have put it there.
pub(super) fn open_base(base: &Path) -> Result<File, VmError> {
    match DirBuilder::new().mode(0o700).create(base) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(failed("make", base)(error));
        }
        _ => {}
    }
    let metadata = fs::symlink_metadata(base).map_err(failed("look at", base))?;
    let ours = metadata.uid() == rustix::process::geteuid().as_raw();
    if !metadata.is_dir() || !ours || metadata.mode() & 0o077 != 0 {
        return Err(VmError::NotOurs { path: base.to_owned() });
    }
    File::open(base).map_err(failed("open", base))
}

/// Remove the folders of runs that are no more. What cannot be removed now can be next time.
fn sweep(base: &Path) {
    let Ok(entries) = fs::read_dir(base) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let is_run = entry.file_name().to_string_lossy().starts_with(PREFIX);
        if is_run && let Some(_lock) = lock_ended(&path) {
            let _ = fs::remove_dir_all(&path);
        }
    }
}

/// The folder, or the cgroup, of a run that is no more, nor its VMM. As long as it is locked so, no VMM starts there. `None`: it
/// lives.
pub(super) fn lock_ended(path: &Path) -> Option<File> {
    let file = File::open(path).ok()?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).ok()?;
    Some(file)
}

pub(super) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> VmError {
    let path = path.to_owned();
    move |source| VmError::Folder { action, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_dead_runs_are_swept_and_those_of_live_ones_are_not() {
        let work = tempfile::tempdir().unwrap();
        let base = work.path().join("base");
        let live = RunFolder::new_in(&base).unwrap();
        fs::create_dir(base.join("run-dead")).unwrap();
        fs::write(base.join("run-dead/vm.json"), "{}").unwrap();
        fs::write(base.join("something else"), "").unwrap();
        let next = RunFolder::new_in(&base).unwrap();
        assert!(live.path().is_dir() && next.path().is_dir());
        assert!(!base.join("run-dead").exists());
        assert!(base.join("something else").exists());
        let path = live.path().to_owned();
        // Its run was killed, and its VMM is about to end.
        let vmm = File::open(&path).unwrap();
        flock(&vmm, FlockOperation::NonBlockingLockShared).unwrap();
        let RunFolder { _lock, .. } = &live;
        flock(_lock, FlockOperation::Unlock).unwrap();
        sweep(&base);
        assert!(path.is_dir());
        drop(vmm);
        sweep(&base);
        assert!(!path.exists());
        let path = next.path().to_owned();
        drop(next);
        assert!(!path.exists());
    }

    #[test]
    fn a_folder_that_others_can_reach_is_refused() {
        let work = tempfile::tempdir().unwrap();
        let base = work.path().join("base");
        drop(RunFolder::new_in(&base).unwrap());
        fs::set_permissions(&base, fs::Permissions::from_mode(0o770)).unwrap();
        assert!(matches!(RunFolder::new_in(&base), Err(VmError::NotOurs { .. })));
        std::os::unix::fs::symlink("/tmp", work.path().join("link")).unwrap();
        assert!(matches!(
            RunFolder::new_in(&work.path().join("link")),
            Err(VmError::NotOurs { .. })
        ));
    }
}
