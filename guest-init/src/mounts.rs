//! What a container finds mounted, as tables: the mounts, devices, masked and read-only paths of runc's default
//! configuration (`runc spec`) and of docker's.

use std::ffi::{CStr, CString};
use std::io;

use protocol::Tmpfs;
use rustix::fs::{CWD, FileType, Mode, makedev, mknodat, symlinkat};
use rustix::io::Errno;
use rustix::mount::{MountFlags, mount, mount_bind};

use crate::error::{During, StartError};
use crate::root::{bind_read_only, folder, make_folder};

/// One file system.
pub struct Mount {
    /// Where.
    pub target: &'static str,
    /// Which.
    pub kind: &'static str,
    /// How.
    pub flags: MountFlags,
    /// Options of the file system's own.
    pub options: Option<&'static CStr>,
    /// Whether a kernel may lack it.
    pub optional: bool,
}

/// Nothing on it is a program, a device or a set-user-ID file.
const DATA: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV).union(MountFlags::NOEXEC);

/// In the order to mount them.
pub const MOUNTS: &[Mount] = &[
    Mount { target: "/proc", kind: "proc", flags: DATA, options: None, optional: false },
    Mount {
        target: "/dev",
        kind: "tmpfs",
        flags: MountFlags::NOSUID.union(MountFlags::STRICTATIME),
        options: Some(c"mode=755,size=65536k"),
        optional: false,
    },
    Mount {
        target: "/dev/pts",
        kind: "devpts",
        flags: MountFlags::NOSUID.union(MountFlags::NOEXEC),
        options: Some(c"newinstance,ptmxmode=0666,mode=0620,gid=5"),
        optional: false,
    },
    Mount {
        target: "/dev/shm",
        kind: "tmpfs",
        flags: DATA,
        options: Some(c"mode=1777,size=65536k"),
        optional: false,
    },
    Mount { target: "/dev/mqueue", kind: "mqueue", flags: DATA, options: None, optional: true },
    Mount {
        target: "/sys",
        kind: "sysfs",
        flags: DATA.union(MountFlags::RDONLY),
        options: None,
        optional: false,
    },
    Mount {
        target: "/sys/fs/cgroup",
        kind: "cgroup2",
        flags: DATA.union(MountFlags::RDONLY),
        options: None,
        optional: true,
    },
];

/// Character devices: name, major and minor number (linux/Documentation/admin-guide/devices.txt).
pub const DEVICES: &[(&str, u32, u32)] = &[
    ("/dev/null", 1, 3),
    ("/dev/zero", 1, 5),
    ("/dev/full", 1, 7),
    ("/dev/random", 1, 8),
    ("/dev/urandom", 1, 9),
    ("/dev/tty", 5, 0),
];

/// Links in /dev: name, target.
pub const LINKS: &[(&str, &str)] = &[
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
    ("/dev/ptmx", "pts/ptmx"),
    ("/dev/core", "/proc/kcore"),
];

/// Paths that read as empty.
pub const MASKED: &[&str] = &[
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];

/// Paths that refuse writes.
pub const READ_ONLY: &[&str] =
    &["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// Mounts the table, inside the image's root.
pub fn mount_all() -> Result<(), StartError> {
    for Mount { target, kind, flags, options, optional } in MOUNTS {
        if *target != "/sys/fs/cgroup" {
            folder(target)?;
        }
        match mount(*kind, *target, *kind, *flags, *options) {
            Ok(()) => {}
            // mount(2): the kernel lacks the file system, or sysfs the folder for it.
            Err(Errno::NODEV | Errno::NOENT) if *optional => {}
            Err(error) => return Err(error).during(format!("mount {kind} on {target}")),
        }
    }
    Ok(())
}

/// Mounts a memory file system that the caller asked for.
pub fn mount_tmpfs(tmpfs: &Tmpfs) -> Result<(), StartError> {
    let path = tmpfs.path.as_os_str();
    let what = || format!("mount a tmpfs on {}", tmpfs.path);
    make_folder(path).during(what())?;
    let mut flags = MountFlags::NOSUID | MountFlags::NODEV;
    flags.set(MountFlags::NOEXEC, !tmpfs.executable);
    let mut options = format!("mode={:o}", tmpfs.mode);
    if let Some(size) = tmpfs.size {
        options.push_str(&format!(",size={size}"));
    }
    let options = CString::new(options).map_err(io::Error::from).during(what())?;
    mount("tmpfs", path, "tmpfs", flags, Some(options.as_c_str())).during(what())
}

/// Fills the empty /dev.
pub fn make_devices() -> Result<(), StartError> {
    for (path, major, minor) in DEVICES {
        mknodat(
            CWD,
            *path,
            FileType::CharacterDevice,
            Mode::from_raw_mode(0o666),
            makedev(*major, *minor),
        )
        .during(format!("make {path}"))?;
    }
    for (path, target) in LINKS {
        symlinkat(*target, CWD, *path).during(format!("make {path}"))?;
    }
    Ok(())
}

/// Hides and protects what of /proc and /sys concerns the machine. A path that this kernel lacks needs neither.
pub fn restrict() -> Result<(), StartError> {
    for path in MASKED {
        missing_is_fine(mask(path)).during(format!("mask {path}"))?;
    }
    for path in READ_ONLY {
        missing_is_fine(bind_read_only(path, DATA)).during(format!("make {path} read-only"))?;
    }
    Ok(())
}

/// /dev/null over a file, an empty file system over a folder.
fn mask(path: &str) -> rustix::io::Result<()> {
    match mount_bind("/dev/null", path) {
        Err(Errno::NOTDIR) => {
            mount("tmpfs", path, "tmpfs", DATA | MountFlags::RDONLY, Some(c"size=0k"))
        }
        result => result,
    }
}

fn missing_is_fine(result: rustix::io::Result<()>) -> io::Result<()> {
    match result {
        Err(Errno::NOENT) => Ok(()),
        result => Ok(result?),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn each_is_mounted_once_and_after_its_parent() {
        for (index, mount) in MOUNTS.iter().enumerate() {
            assert!(
                MOUNTS[..index]
                    .iter()
                    .all(|earlier| !Path::new(earlier.target).starts_with(mount.target))
            );
        }
    }

    #[test]
    fn what_is_restricted_is_mounted() {
        for path in MASKED.iter().chain(READ_ONLY) {
            assert!(MOUNTS.iter().any(|mount| Path::new(path).starts_with(mount.target)), "{path}");
        }
        assert!(MASKED.iter().all(|path| !READ_ONLY.contains(path)));
    }

    #[test]
    fn devices_lie_in_dev() {
        let names = DEVICES.iter().map(|device| device.0).chain(LINKS.iter().map(|link| link.0));
        assert!(names.map(Path::new).all(|path| path.parent() == Some(Path::new("/dev"))));
    }
}
