//! The container's root: the image's disk, read-only, under an overlay. guest-init itself stays in the initramfs.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use rustix::mount::{MountFlags, mount, mount_bind, mount_move, mount_remount};

use crate::error::{During, StartError};

/// The first disk: the image.
const IMAGE_DISK: &str = "/dev/vda";
/// The second, where there is one: what the container writes.
const SCRATCH_DISK: &str = "/dev/vdb";

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
    fs::create_dir_all(path).during(format!("make the folder {path}"))
}
