//! The container's root: the image's disk, read-only, under an overlay, in place of the initramfs.

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

/// Folders of the initramfs, out of sight once the root is another.
const IMAGE: &str = "/image";
const SCRATCH: &str = "/scratch";
const MERGED: &str = "/merged";

/// Mounts the kernel's own /dev: the disks' nodes.
pub fn mount_devices() -> Result<(), StartError> {
    folder("/dev")?;
    mount("dev", "/dev", "devtmpfs", MountFlags::empty(), None).during("mount devtmpfs on /dev")
}

/// From the initramfs into the image. Afterwards every path, and every link in a path, is the image's.
pub fn enter() -> Result<(), StartError> {
    for path in [IMAGE, SCRATCH, MERGED] {
        folder(path)?;
    }
    mount(IMAGE_DISK, IMAGE, "erofs", MountFlags::RDONLY, None)
        .during(format!("mount the image disk {IMAGE_DISK} (erofs)"))?;
    if Path::new(SCRATCH_DISK).exists() {
        mount(SCRATCH_DISK, SCRATCH, "ext4", MountFlags::empty(), None)
            .during(format!("mount the scratch disk {SCRATCH_DISK} (ext4)"))?;
    } else {
        mount("scratch", SCRATCH, "tmpfs", MountFlags::empty(), Some(c"mode=0755"))
            .during("mount a tmpfs for what the container writes")?;
    }
    overlay().during("mount the overlay of image and scratch")?;
    empty_initramfs();
    switch().during("make the overlay the root")
}

/// linux/Documentation/filesystems/overlayfs.rst. The merged root's owner and mode are the upper folder's, so that
/// gets the image's.
fn overlay() -> io::Result<()> {
    let (upper, work) = (format!("{SCRATCH}/upper"), format!("{SCRATCH}/work"));
    for path in [&upper, &work] {
        fs::create_dir_all(path)?;
    }
    let image = fs::metadata(IMAGE)?;
    std::os::unix::fs::chown(&upper, Some(image.uid()), Some(image.gid()))?;
    fs::set_permissions(&upper, fs::Permissions::from_mode(image.mode() & 0o7777))?;
    let options = format!("lowerdir={IMAGE},upperdir={upper},workdir={work}");
    Ok(mount(
        "overlay",
        MERGED,
        "overlay",
        MountFlags::empty(),
        Some(std::ffi::CString::new(options)?.as_c_str()),
    )?)
}

/// Gives the initramfs's memory back: its files are all that it holds.
fn empty_initramfs() {
    // Files that are not there hold no memory.
    let _ = fs::remove_file("/init");
    let _ = fs::remove_dir_all(crate::modules::FOLDER);
}

/// pivot_root(2) does not work on an initramfs: the overlay is moved over it instead, as switch_root(8) does.
fn switch() -> io::Result<()> {
    std::env::set_current_dir(MERGED)?;
    mount_move(".", "/")?;
    rustix::process::chroot(".")?;
    std::env::set_current_dir("/")
}

/// From now on the root refuses writes. The file systems mounted on it (/dev, /dev/shm, /proc …) keep their own rules.
pub fn make_read_only() -> Result<(), StartError> {
    mount_remount("/", MountFlags::BIND | MountFlags::RDONLY, c"").during("make the root read-only")
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
