//! `/etc/hostname` and `/etc/hosts`: the runtime's, whatever the image holds there.
//!
//! As in docker each is a file of the runtime's own, mounted on one of the image's (moby's `daemon/initlayer` makes the
//! latter where something else is): new at each start, writable under a read-only root, and in no copy of what the
//! container wrote.

use std::ffi::CStr;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use protocol::ByteString;
use rustix::fs::CWD;
use rustix::mount::{MountFlags, MoveMountFlags, OpenTreeFlags, mount, move_mount, open_tree};

use crate::error::{During, StartError};
use crate::root::{folder, make_folder};

/// Where they are written, in the guest's own root: a file system of theirs, so that what the container writes to them
/// has an end.
const FOLDER: &str = "/names";
const OPTIONS: &CStr = c"mode=0755,size=1m";
const FLAGS: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV).union(MountFlags::NOEXEC);

/// One of the files, and where it belongs.
pub struct Name {
    target: &'static str,
    tree: OwnedFd,
}

/// Writes them, in the container's mount namespace but before its root is the root.
pub fn write(hostname: &ByteString) -> Result<Vec<Name>, StartError> {
    folder(FOLDER)?;
    mount("names", FOLDER, "tmpfs", FLAGS, Some(OPTIONS)).during(format!("mount {FOLDER}"))?;
    let files = [
        ("/etc/hostname", [hostname.as_bytes(), b"\n"].concat()),
        ("/etc/hosts", hosts(hostname.as_bytes())),
    ];
    let write = |(target, content): (&'static str, Vec<u8>)| {
        let name = Path::new(target).file_name().unwrap_or_default();
        let file = Path::new(FOLDER).join(name);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o644);
        let written = options.open(&file).and_then(|mut file| file.write_all(&content));
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
        let tree = written.and_then(|()| Ok(open_tree(CWD, &file, flags)?));
        Ok(Name { target, tree: tree.during(format!("write {target}"))? })
    };
    files.into_iter().map(write).collect()
}

/// Mounts them, once the container's root is the root and takes writes.
pub fn mount_all(names: &[Name]) -> Result<(), StartError> {
    for Name { target, tree } in names {
        make_place(Path::new(target)).during(format!("make room for {target}"))?;
        let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        move_mount(tree, "", CWD, *target, flags).during(format!("mount {target}"))?;
    }
    Ok(())
}

/// docker's file (moby, `daemon/libnetwork/etchosts`), and the host's name, which has no other address without a network:
/// Debian's for that.
fn hosts(hostname: &[u8]) -> Vec<u8> {
    let mut hosts = b"127.0.0.1\tlocalhost\n\
        ::1\tlocalhost ip6-localhost ip6-loopback\n\
        fe00::\tip6-localnet\n\
        ff00::\tip6-mcastprefix\n\
        ff02::1\tip6-allnodes\n\
        ff02::2\tip6-allrouters\n\
        127.0.1.1\t"
        .to_vec();
    hosts.extend(hostname);
    // `box.example` is called `box` as well.
    if let Some(at) = hostname.iter().position(|&byte| byte == b'.') {
        hosts.push(b' ');
        hosts.extend(&hostname[..at]);
    }
    hosts.push(b'\n');
    hosts
}

/// Makes `path` a regular file, in place of what it is. A link goes, and what it leads to stays.
fn make_place(path: &Path) -> io::Result<()> {
    let parent = path.parent().unwrap_or(Path::new("/"));
    if make_folder(parent).is_err() {
        // A file, or a link to one, or to nowhere.
        fs::remove_file(parent)?;
        make_folder(parent)?;
    }
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => return Ok(()),
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path)?,
        Ok(_) => fs::remove_file(path)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    OpenOptions::new().write(true).create_new(true).mode(0o644).open(path).map(drop)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn hosts_are_docker_s_and_the_host_s_own_name() {
        let text = |hostname: &[u8]| String::from_utf8(hosts(hostname)).unwrap();
        let start = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::\t";
        assert!(text(b"box").starts_with(start), "{}", text(b"box"));
        assert!(text(b"box").ends_with("allrouters\n127.0.1.1\tbox\n"), "{}", text(b"box"));
        assert!(text(b"box.example").ends_with("\n127.0.1.1\tbox.example box\n"));
    }

    #[test]
    fn whatever_the_image_holds_gives_way_to_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let made = |name: &str| {
            make_place(&path(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
            fs::symlink_metadata(path(name)).unwrap().is_file()
        };
        fs::create_dir_all(path("etc/hosts/sub")).unwrap();
        fs::write(path("etc/hosts/sub/file"), "").unwrap();
        fs::write(path("etc/kept"), "kept").unwrap();
        for (name, target) in [("link", "kept"), ("dangling", "/no/such/file"), ("folder", ".")] {
            symlink(target, path("etc").join(name)).unwrap();
        }
        for name in ["hosts", "kept", "link", "dangling", "folder", "missing"] {
            assert!(made(&format!("etc/{name}")), "{name}");
        }
        assert_eq!(fs::read(path("etc/kept")).unwrap(), b"kept");

        // The folder itself.
        fs::write(path("file"), "").unwrap();
        symlink("usr/etc", path("moved")).unwrap();
        symlink("file", path("wrong")).unwrap();
        symlink("round", path("round")).unwrap();
        for name in ["none", "moved", "wrong", "file", "round"] {
            assert!(made(&format!("{name}/hosts")), "{name}");
        }
        assert!(path("usr/etc/hosts").is_file());
    }
}
