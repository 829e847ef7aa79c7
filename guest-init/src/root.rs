//! The container's root: the image's disk, read-only, under an overlay. guest-init itself stays in the initramfs.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use rustix::fs::CWD;
use rustix::mount::{
    MountFlags, OpenTreeFlags, mount, mount_bind, mount_move, mount_remount, open_tree,
};

use crate::error::{During, StartError};

/// The first disk: the image.
const IMAGE_DISK: &str = "/dev/vda";
/// The second, where there is one: what the container writes.
const SCRATCH_DISK: &str = "/dev/vdb";

/// guest-init's own file: what the kernel executes of an initramfs (linux/init/main.c, `ramdisk_execute_command`).
pub const PROGRAM: &str = "/init";
/// Folders of the initramfs.
const IMAGE: &str = "/image";
const SCRATCH: &str = "/scratch";
/// The container's root, as guest-init sees it.
pub const CONTAINER: &str = "/container";
/// How the container's root is mounted: an image's device nodes, and those that are made in it, are mere names. /dev is another file system.
const FLAGS: MountFlags = MountFlags::NODEV;

/// Mounts what guest-init needs itself, and the container's root.
pub fn mount_all() -> Result<(), StartError> {
    for path in ["/dev", "/proc", IMAGE, SCRATCH, CONTAINER] {
        folder(path)?;
    }
    mount("dev", "/dev", "devtmpfs", MountFlags::empty(), None).during("mount devtmpfs on /dev")?;
    mount("proc", "/proc", "proc", MountFlags::empty(), None).during("mount proc on /proc")?;
    // A container can have it executed and then has it in /proc/PID/exe, which is the file as it is mounted (runc's
    // CVE-2019-5736): this mount takes no writes, no new mode and no new owner.
    bind_read_only(PROGRAM, MountFlags::NOSUID | MountFlags::NODEV)
        .during(format!("make {PROGRAM} read-only"))?;
    mount(IMAGE_DISK, IMAGE, "erofs", MountFlags::RDONLY, None)
        .during(format!("mount the image disk {IMAGE_DISK} (erofs)"))?;
    if Path::new(SCRATCH_DISK).exists() {
        mount(SCRATCH_DISK, SCRATCH, "ext4", MountFlags::empty(), None)
            .during(format!("mount the scratch disk {SCRATCH_DISK} (ext4)"))?;
    } else {
        mount("scratch", SCRATCH, "tmpfs", MountFlags::empty(), Some(c"mode=0755"))
            .during("mount a tmpfs for what the container writes")?;
    }
    // Gives its memory back. What is not there holds none.
    let _ = fs::remove_dir_all(crate::modules::FOLDER);
    overlay().during("mount the overlay of image and scratch")
}

/// linux/Documentation/filesystems/overlayfs.rst. The merged root's owner and mode are the upper folder's, so that
/// gets the image's when it is new.
fn overlay() -> io::Result<()> {
    let (upper, work) = (format!("{SCRATCH}/upper"), format!("{SCRATCH}/work"));
    if !Path::new(&upper).exists() {
        fs::create_dir(&upper)?;
        let image = fs::metadata(IMAGE)?;
        std::os::unix::fs::chown(&upper, Some(image.uid()), Some(image.gid()))?;
        fs::set_permissions(&upper, fs::Permissions::from_mode(image.mode() & 0o7777))?;
    }
    fs::create_dir_all(&work)?;
    let options = format!("lowerdir={IMAGE},upperdir={upper},workdir={work}");
    let options = std::ffi::CString::new(options)?;
    Ok(mount("overlay", CONTAINER, "overlay", FLAGS, Some(options.as_c_str()))?)
}

/// Makes the container's root the calling process's, in a mount namespace of its own. Afterwards every path, and every
/// link in a path, is the container's. pivot_root(2) does not work on an initramfs: the overlay is moved over it instead,
/// as switch_root(8) does.
pub fn enter() -> Result<(), StartError> {
    let switch = || -> io::Result<()> {
        std::env::set_current_dir(CONTAINER)?;
        mount_move(".", "/")?;
        look_in(".")
    };
    switch().during("make the container's root the root")
}

/// Makes a folder the calling process's root.
pub fn look_in(folder: &str) -> io::Result<()> {
    rustix::process::chroot(folder)?;
    std::env::set_current_dir("/")
}

/// Makes the root without what is mounted in it the calling process's, as long as what comes back is kept.
pub fn look_under_mounts() -> io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let root = open_tree(CWD, "/", flags)?;
    rustix::process::fchdir(&root)?;
    look_in(".")?;
    Ok(root)
}

/// From now on the root refuses writes. The file systems mounted on it (/dev, /dev/shm, /proc …) keep their own rules.
pub fn make_read_only() -> Result<(), StartError> {
    let flags = FLAGS | MountFlags::BIND | MountFlags::RDONLY;
    mount_remount("/", flags, c"").during("make the root read-only")
}

/// Covers `path` with itself, read-only.
pub(crate) fn bind_read_only(path: &str, flags: MountFlags) -> rustix::io::Result<()> {
    mount_bind(path, path)?;
    mount_remount(path, flags | MountFlags::BIND | MountFlags::RDONLY, c"")
}

/// A folder to mount on, made where it is missing.
pub(crate) fn folder(path: &str) -> Result<(), StartError> {
    make_folder(path).during(format!("make the folder {path}"))
}

/// How many links a path may have (MAXSYMLINKS, linux/namei.h).
const MAX_LINKS: usize = 40;

/// Makes an absolute path a folder where there is none. A link is followed even if nothing is where it leads to yet:
/// then the folder is made there, as docker does.
pub(crate) fn make_folder(path: impl AsRef<Path>) -> io::Result<()> {
    let (mut made, mut links) = (PathBuf::from("/"), 0);
    let mut rest: Vec<OsString> = names(path.as_ref()).collect();
    while let Some(name) = rest.pop() {
        if name == ".." {
            made.pop();
            continue;
        }
        let here = made.join(&name);
        match fs::symlink_metadata(&here) {
            Ok(metadata) if metadata.is_symlink() => {
                links += 1;
                if links > MAX_LINKS {
                    return Err(rustix::io::Errno::LOOP.into());
                }
                let target = fs::read_link(&here)?;
                if target.is_absolute() {
                    made = PathBuf::from("/");
                }
                rest.extend(names(&target));
                continue;
            }
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => return Err(io::ErrorKind::NotADirectory.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => fs::create_dir(&here)?,
            Err(error) => return Err(error),
        }
        made = here;
    }
    Ok(())
}

/// A path's names and `..`, the last first.
fn names(path: &Path) -> impl Iterator<Item = OsString> {
    path.components().rev().filter_map(|component| match component {
        Component::Normal(_) | Component::ParentDir => Some(component.as_os_str().to_owned()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn folders_are_made_where_links_lead_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("there")).unwrap();
        fs::write(path("file"), "").unwrap();
        symlink("missing/below", path("link")).unwrap();
        symlink(path("absolute"), path("there/up")).unwrap();
        symlink("round", path("round")).unwrap();
        for (made, found) in [
            ("there", "there"),
            ("a/b/", "a/b"),
            ("a/../c/./d", "c/d"),
            ("link/end", "missing/below/end"),
            ("there/up/end", "absolute/end"),
        ] {
            make_folder(path(made)).unwrap();
            assert!(fs::symlink_metadata(path(found)).unwrap().is_dir(), "{made}");
        }
        assert!(fs::symlink_metadata(path("link")).unwrap().is_symlink());
        let error = make_folder(path("file/below")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotADirectory);
        let error = make_folder(path("round/below")).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ELOOP));
    }
}
