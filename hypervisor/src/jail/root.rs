//! A root folder with nothing in it, that nobody can put anything into.

use std::io;

use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_change, unmount,
};
use rustix::process::{chdir, pivot_root};

use super::lack::{Lack, is_forbidden, note};
use super::{HERE, Inside};

/// A folder that every host with KVM has. In the mounts of this process alone it becomes the empty one.
const PLACE: &str = "/dev";

/// One inode, which is the folder, and no page (tmpfs(5)); nobody may even look into it.
const NOTHING: &std::ffi::CStr = c"size=4k,nr_inodes=1,mode=0";

/// Puts it in place of the host's.
pub(super) fn change(inside: &mut Inside) -> io::Result<()> {
    if !inside.own.mounts {
        return Ok(());
    }
    match empty() {
        // A host that gives namespaces to everybody and rights in them to some.
        Err(error) if inside.own.users && is_forbidden(&error) => {
            note(&mut inside.lacks, Lack::rights(error));
            Ok(())
        }
        result => result,
    }
}

fn empty() -> io::Result<()> {
    // What is unmounted here stays mounted elsewhere.
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    let flags = MountFlags::RDONLY | MountFlags::NODEV | MountFlags::NOEXEC | MountFlags::NOSUID;
    mount("jail", PLACE, "tmpfs", flags, NOTHING)?;
    chdir(PLACE)?;
    // pivot_root(2): the old root is mounted on top of the new one, and goes.
    pivot_root(HERE, HERE)?;
    Ok(unmount(HERE, UnmountFlags::DETACH)?)
}
