//! Whether a kernel's file may be part of a running guest.
//!
//! A page that is mapped is the file's own until the guest writes to it: who can write to the file changes a running
//! guest, and so what is in it. What is copied is the guest's alone.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::process::geteuid;

/// Whether pages of `file` (whose name is `name`) may be mapped: nobody but this user and root can write to it, and
/// none of those programs does who ask for a lock before. They don't as long as it is mapped, for the mapping keeps the
/// lock.
pub fn may_be_mapped(file: &File, name: &Path) -> io::Result<bool> {
    let ours = is_ours_alone(&file.metadata()?, geteuid().as_raw());
    let may = ours && flock(file, FlockOperation::NonBlockingLockShared).is_ok();
    if !may {
        let name = name.display();
        log::info!("{name}: copied, not mapped: others can write to it, or one does that now");
    }
    Ok(may)
}

/// The bits of a group and of all others (inode(7): `S_IWGRP`, `S_IWOTH`). An access control list shows in the first.
const OTHERS_WRITE: u32 = libc::S_IWGRP | libc::S_IWOTH;

fn is_ours_alone(file: &Metadata, user: u32) -> bool {
    file.mode() & OTHERS_WRITE == 0 && [0, user].contains(&file.uid())
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn only_what_nobody_else_can_write_to_is_mapped() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (mode, mapped) in
            [(0o600, true), (0o644, true), (0o444, true), (0o664, false), (0o602, false)]
        {
            file.as_file().set_permissions(Permissions::from_mode(mode)).unwrap();
            assert_eq!(may_be_mapped(file.as_file(), file.path()).unwrap(), mapped, "{mode:o}");
        }
        file.as_file().set_permissions(Permissions::from_mode(0o644)).unwrap();
        let (metadata, user) = (file.as_file().metadata().unwrap(), geteuid().as_raw());
        assert!(is_ours_alone(&metadata, user));
        assert_eq!(is_ours_alone(&metadata, user + 1), user == 0, "another user's, or root's");
    }

    #[test]
    fn who_asks_for_a_lock_does_not_write_while_it_is_mapped() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let open = || File::open(file.path()).unwrap();
        let writer = open();
        flock(&writer, FlockOperation::NonBlockingLockExclusive).unwrap();
        let kernel = open();
        assert!(!may_be_mapped(&kernel, file.path()).unwrap());
        drop(writer);
        assert!(may_be_mapped(&kernel, file.path()).unwrap());
        assert!(flock(open(), FlockOperation::NonBlockingLockExclusive).is_err());
        assert!(may_be_mapped(&open(), file.path()).unwrap(), "by any number of guests");
    }
}
