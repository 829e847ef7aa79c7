//! The folder of the vsock socket, where the guest's connections go: the only one that the VM still reaches, and nothing
//! above it.

use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{OpenTreeFlags, open_tree};
use rustix::process::fchdir;

use super::{HERE, Inside};

/// Where a socket of this path is.
pub(super) fn of(uds_path: &Path) -> PathBuf {
    match uds_path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from(HERE),
    }
}

/// Opens it, while it still has a name.
pub(super) fn open(inside: &mut Inside) -> io::Result<()> {
    let Some(path) = &inside.needs.folder else { return Ok(()) };
    inside.folder = Some(match inside.own.mounts {
        true => alone(path)?,
        false => {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            rustix::fs::open(path, flags, Mode::empty())?
        }
    });
    Ok(())
}

/// The folder as a mount of its own, at which `..` comes to an end, and where nothing can be made or run. That its sockets
/// can be connected to has nothing to do with that (linux/net/unix/af_unix.c, `unix_find_bsd`).
fn alone(path: &Path) -> io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let folder = match open_tree(CWD, path, flags) {
        // With something mounted below that this user may not take away (mount_namespaces(7)).
        Err(Errno::INVAL) => open_tree(CWD, path, flags | OpenTreeFlags::AT_RECURSIVE),
        result => result,
    }?;
    make_read_only(&folder)?;
    Ok(folder)
}

/// mount_setattr(2), `struct mount_attr`.
#[repr(C)]
struct Attributes {
    set: u64,
    clear: u64,
    propagation: u64,
    user_namespace: u64,
}

/// `MOUNT_ATTR_RDONLY`, `_NOSUID`, `_NODEV`, `_NOEXEC` (linux/include/uapi/linux/mount.h).
const SEALED: u64 = 0x1 | 0x2 | 0x4 | 0x8;

fn make_read_only(folder: &OwnedFd) -> io::Result<()> {
    let attributes = Attributes { set: SEALED, clear: 0, propagation: 0, user_namespace: 0 };
    // SAFETY: an open descriptor, an empty path that ends with a zero, and attributes of the length that is said, which
    // the call only reads.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            folder.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | libc::AT_RECURSIVE,
            &attributes,
            size_of::<Attributes>(),
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Goes there. `connect` knows no path relative to a descriptor, but it knows this.
pub(super) fn enter(inside: &mut Inside) -> io::Result<()> {
    if let Some(folder) = &inside.folder {
        fchdir(folder)?;
    }
    Ok(())
}
