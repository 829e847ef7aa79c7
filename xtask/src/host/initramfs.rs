//! The initramfs of the emulated host: busybox, KVM's modules and a script that makes its root and hands over to
//! the agent.

use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use boot::cpio;

use super::root::Root;
use crate::error::{Doing, Error};

/// The tag of the shared root file system.
pub const ROOT_TAG: &str = "root";

/// Mounts, then `switch_root` (a plain chroot would forbid user namespaces in there).
/// Device nodes, processes and runtime files are the emulated host's own; all else is this machine's, or, on another
/// architecture, a system of its own into which this machine's users' folders are mounted. skopeo's database of blobs is the
/// host's own too: a lock on the shared file would hold on one side only, and two writers spoil it.
const SCRIPT: &str = r#"#!/bin/busybox sh
/bin/busybox --install -s /bin
fail() { echo "host init: $1"; poweroff -f; }
mount -t proc proc /proc
for module in /modules/*; do insmod $module || fail "cannot load $module"; done
mount -t virtiofs root /machine || fail "cannot mount the shared root"
if [ -e /tree ]; then
  mount -t tmpfs tmpfs /changes
  mkdir /changes/upper /changes/work
  cd "/machine$(cat /tree)"
  mount -t overlay -o lowerdir=.,upperdir=/changes/upper,workdir=/changes/work overlay /root ||
    fail "cannot mount the root"
  while IFS= read -r folder; do
    mkdir -p "/root$folder"
    mount -o bind "/machine$folder" "/root$folder"
  done </shared
else
  mount -o bind /machine /root
  mkdir -p /root/var/lib/containers/cache
  mount -t tmpfs tmpfs /root/var/lib/containers/cache
fi
cd /root
mount -t devtmpfs dev dev
mkdir -p dev/pts dev/shm
ln -s /proc/self/fd dev/fd
for stream in 0:stdin 1:stdout 2:stderr; do ln -s fd/${stream%:*} dev/${stream#*:}; done
mount -t devpts -o mode=620,ptmxmode=666 devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mkdir -m 1777 run/lock
chmod 666 dev/kvm dev/net/tun
ip link set lo up
hostname emulated-host
umount /proc
exec switch_root /root "$(cat /agent)" host-agent
"#;

/// Writes the archive to `out`.
pub fn write(out: impl Write, root: &Root, modules: &[PathBuf]) -> Result<(), Error> {
    let mut archive = cpio::Writer::new(out);
    let failed =
        |error: cpio::CpioError| Error::Content(format!("the emulated host's initramfs: {error}"));
    for dir in ["bin", "changes", "dev", "machine", "modules", "proc", "root"] {
        archive.directory(dir, 0o755).map_err(failed)?;
    }
    archive.char_device("dev/console", 0o600, 5, 1).map_err(failed)?;
    archive.file("init", 0o755, SCRIPT.as_bytes()).map_err(failed)?;
    archive.file("bin/busybox", 0o755, &read(&root.busybox)?).map_err(failed)?;
    archive.file("agent", 0o644, root.agent.as_os_str().as_bytes()).map_err(failed)?;
    if let Some(foreign) = &root.foreign {
        archive.file("tree", 0o644, foreign.tree.as_os_str().as_bytes()).map_err(failed)?;
        let lines = foreign.shared.iter().flat_map(|path| [path.as_os_str().as_bytes(), b"\n"]);
        archive.file("shared", 0o644, &lines.collect::<Vec<_>>().concat()).map_err(failed)?;
    }
    for module in modules {
        let name = module.file_name().unwrap_or_default().display();
        archive.file(&format!("modules/{name}"), 0o644, &read(module)?).map_err(failed)?;
    }
    archive.finish().map_err(failed)?;
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).doing(|| format!("read {}", path.display()))
}
