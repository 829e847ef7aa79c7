//! `/etc/hostname`, `/etc/hosts` and `/etc/resolv.conf`: the runtime's, whatever the image holds there.
//!
//! As in docker each is a file of the runtime's own, mounted on one of the image's (moby's `daemon/initlayer` makes the
//! latter where something else is): new at each start, writable under a read-only root, and in no copy of what the
//! container wrote.

use std::ffi::CStr;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use protocol::{ByteString, Network, Resolver};
use rustix::fs::CWD;
use rustix::mount::{MountFlags, MoveMountFlags, OpenTreeFlags, mount, move_mount, open_tree};

use crate::error::{During, StartError};
use crate::network::sysctl;
use crate::root::{folder, make_folder};

/// Where they are written, in the guest's own root: a file system of theirs, so that what the container writes to them
/// has an end.
const FOLDER: &str = "/names";
const OPTIONS: &CStr = c"mode=0755,size=2m";
const FLAGS: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV).union(MountFlags::NOEXEC);

const HOSTNAME: &str = "/etc/hostname";
const HOSTS: &str = "/etc/hosts";
const RESOLVER: &str = "/etc/resolv.conf";

/// One of the files, and where it belongs.
pub struct Name {
    target: &'static str,
    tree: OwnedFd,
}

/// Writes them, once the network is up: PID 1 does, for the container.
pub fn write(hostname: &ByteString, network: &Network) -> Result<(), StartError> {
    folder(FOLDER)?;
    mount("names", FOLDER, "tmpfs", FLAGS, Some(OPTIONS)).during(format!("mount {FOLDER}"))?;
    let hostname = hostname.as_bytes();
    let files = [
        (HOSTNAME, [hostname, b"\n"].concat()),
        (HOSTS, hosts(hostname, network, !sysctl::ipv6_is_off())),
        (RESOLVER, resolver(&network.resolver)),
    ];
    for (target, content) in files {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o644);
        let written = options.open(source(target)).and_then(|mut file| file.write_all(&content));
        written.during(format!("write {target}"))?;
    }
    Ok(())
}

/// Where a file is until it is mounted.
fn source(target: &str) -> PathBuf {
    Path::new(FOLDER).join(Path::new(target).file_name().unwrap_or_default())
}

/// Takes them along, in the container's mount namespace but before its root is the root.
pub fn open() -> Result<Vec<Name>, StartError> {
    let open = |target| {
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
        let tree = open_tree(CWD, source(target), flags).during(format!("open {target}"))?;
        Ok(Name { target, tree })
    };
    [HOSTNAME, HOSTS, RESOLVER].into_iter().map(open).collect()
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

/// docker's file (moby, `daemon/libnetwork/etchosts` and `sandbox_dns_unix.go`): without a network the host's name is
/// not in it.
fn hosts(hostname: &[u8], network: &Network, ipv6: bool) -> Vec<u8> {
    let mut hosts = b"127.0.0.1\tlocalhost\n".to_vec();
    if ipv6 {
        hosts.extend(
            b"::1\tlocalhost ip6-localhost ip6-loopback\n\
            fe00::\tip6-localnet\n\
            ff00::\tip6-mcastprefix\n\
            ff02::1\tip6-allnodes\n\
            ff02::2\tip6-allrouters\n",
        );
    }
    let mut own_names = hostname.to_vec();
    // `box.example` is called `box` as well.
    if let Some(at) = hostname.iter().position(|&byte| byte == b'.') {
        own_names.push(b' ');
        own_names.extend(&hostname[..at]);
    }
    let more = network.hosts.iter().map(|host| (host.ip, host.name.as_bytes()));
    let own = network.own_addresses.iter().map(|ip| (*ip, &own_names[..]));
    for (ip, names) in more.chain(own).filter(|(ip, _)| ipv6 || ip.is_ipv4()) {
        hosts.extend([format!("{ip}\t").as_bytes(), names, b"\n"].concat());
    }
    hosts
}

/// docker's file (moby, `daemon/libnetwork/internal/resolvconf`) without its comments.
fn resolver(resolver: &Resolver) -> Vec<u8> {
    let mut lines = String::new();
    for nameserver in &resolver.nameservers {
        lines.push_str(&format!("nameserver {nameserver}\n"));
    }
    let mut file = lines.into_bytes();
    for (keyword, words) in [("search", &resolver.search), ("options", &resolver.options)] {
        if !words.is_empty() {
            file.extend(keyword.bytes());
            for word in words {
                file.push(b' ');
                file.extend(word.as_bytes());
            }
            file.push(b'\n');
        }
    }
    file
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
mod tests;
