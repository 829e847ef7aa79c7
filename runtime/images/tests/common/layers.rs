//! Layers with everything in them that a file system can hold, and GNU tar, which makes and unpacks them.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::{text, tool};

/// A layer as a tar, written by GNU tar from a directory.
pub fn pack(directory: &Path, tar: &Path, compression: &str) {
    let mut arguments = vec!["--xattrs", "--xattrs-include=*", "--numeric-owner", "--format=pax"];
    if !compression.is_empty() {
        arguments.push(compression);
    }
    arguments.extend(["-C", text(directory), "-cf", text(tar), "."]);
    tool("tar", &arguments);
}

/// What the layers add up to, by GNU tar and `rm`.
pub fn unpack_with_gnu_tar(layers: &[PathBuf], to: &Path) {
    fs::create_dir_all(to).unwrap();
    for layer in layers {
        for name in tool("tar", &["-tf", text(layer)]).lines() {
            let path = to.join(name.trim_end_matches('/'));
            let Some(file) = path.file_name().and_then(|name| name.to_str()) else { continue };
            let parent = path.parent().unwrap();
            // The upper directory's attributes are all that it has; GNU tar would keep the lower one's too.
            for attribute in super::xattrs(&path).keys() {
                rustix::fs::lremovexattr(&path, attribute.as_slice()).unwrap();
            }
            if file == ".wh..wh..opq" {
                let entries = fs::read_dir(parent).unwrap().map(|entry| entry.unwrap().path());
                entries.for_each(|path| remove(&path));
            } else if let Some(hidden) = file.strip_prefix(".wh.") {
                remove(&parent.join(hidden));
            }
        }
        let arguments =
            ["--xattrs", "--xattrs-include=*", "--numeric-owner", "-p", "--exclude=.wh.*"];
        let arguments = [&arguments[..], &["-C", text(to), "-xf", text(layer)]].concat();
        tool("tar", &arguments);
    }
}

fn remove(path: &Path) {
    if path.is_dir() && !path.is_symlink() {
        fs::remove_dir_all(path).unwrap();
    } else {
        fs::remove_file(path).unwrap();
    }
}

pub fn set_xattr(path: &Path, name: &str, value: &[u8]) {
    rustix::fs::lsetxattr(path, name, value, rustix::fs::XattrFlags::empty()).unwrap();
}

/// A layer with one of everything.
pub fn lowest_layer(at: &Path) {
    fs::create_dir_all(at.join("usr/share/deep/er")).unwrap();
    fs::create_dir_all(at.join("etc")).unwrap();
    fs::create_dir_all(at.join("many")).unwrap();
    fs::write(at.join("etc/hosts"), "127.0.0.1 localhost\n").unwrap();
    fs::write(at.join("etc/empty"), "").unwrap();
    fs::write(at.join("usr/page"), vec![7; 4096]).unwrap();
    fs::write(at.join("usr/large"), (0..3_000_001u32).map(|n| (n / 251) as u8).collect::<Vec<_>>())
        .unwrap();
    fs::hard_link(at.join("usr/large"), at.join("etc/large too")).unwrap();
    fs::hard_link(at.join("usr/large"), at.join("large three")).unwrap();
    for number in 0..1500 {
        let name = format!("many/{}{number}", "long name ".repeat(number % 7));
        fs::write(at.join(name), number.to_string()).unwrap();
    }
    fs::write(at.join("n".repeat(255)), "255 bytes of name").unwrap();
    let deep = at.join(format!("usr/{}", ["component"; 30].join("/")));
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("file"), "deep").unwrap();
    symlink("/proc/mounts", at.join("etc/mtab")).unwrap();
    symlink("x".repeat(3000), at.join("etc/long link")).unwrap();
    symlink("y".repeat(4095), at.join("etc/longest link")).unwrap();
    tool("mknod", &[text(&at.join("null")), "c", "1", "3"]);
    tool("mknod", &[text(&at.join("disk")), "b", "259", "300000"]);
    tool("mkfifo", &[text(&at.join("fifo"))]);
    fs::set_permissions(at.join("usr/page"), fs::Permissions::from_mode(0o6751)).unwrap();
    fs::set_permissions(at.join("many"), fs::Permissions::from_mode(0o1777)).unwrap();
    std::os::unix::fs::lchown(at.join("etc/mtab"), Some(4_000_000_000), Some(65537)).unwrap();
    std::os::unix::fs::lchown(at.join("usr/page"), Some(1000), Some(70000)).unwrap();
    set_xattr(&at.join("usr/page"), "user.comment", b"bytes \0 and = signs \n");
    set_xattr(&at.join("usr/page"), "trusted.big", &[b'v'; 3000]);
    set_xattr(&at.join("usr/page"), "security.capability", &hex_capability());
    set_xattr(&at.join("etc"), "user.on.a.directory", b"");
    tool("touch", &["-h", "-d", "1931-05-04 03:02:01.987654321 UTC", text(&at.join("etc/mtab"))]);
    tool("touch", &["-d", "2025-01-02 03:04:05.000000001 UTC", text(&at.join("usr/page"))]);
}

/// `cap_net_raw+ep` as the kernel keeps it (`struct vfs_cap_data`, revision 2).
fn hex_capability() -> Vec<u8> {
    [0x0200_0001u32, 1 << 13, 0, 0, 0].iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// When the file was changed that a layer links to.
const LINKED: u64 = 1_234_567_890;

/// Layers over each other with all that a layer can do to those below, as tars in `folder`.
pub fn nasty_layers(folder: &Path) -> Vec<PathBuf> {
    let layers = ["1", "2", "3"].map(|layer| folder.join(layer));
    let [lowest, middle, top] = layers.each_ref().map(PathBuf::as_path);
    lowest_layer(lowest);
    tool("touch", &["-d", &format!("@{LINKED}"), text(&lowest.join("usr/large"))]);
    fs::create_dir_all(lowest.join("opaque/folder")).unwrap();
    fs::write(lowest.join("opaque/folder/file"), "hidden").unwrap();
    fs::write(lowest.join("opaque/both"), "lower").unwrap();
    fs::create_dir_all(lowest.join("becomes a file/with/folders")).unwrap();
    fs::create_dir_all(lowest.join("becomes a link/with/folders")).unwrap();
    for name in ["becomes a folder", "becomes a device", "loses attributes", "was linked"] {
        fs::write(lowest.join(name), "file").unwrap();
    }
    set_xattr(&lowest.join("loses attributes"), "user.lost", b"lost");
    fs::hard_link(lowest.join("was linked"), lowest.join("is linked no more")).unwrap();

    // Of the root, and of all folders on the way, this layer says something else than the one below.
    for name in ["etc", "usr/share", "opaque", "becomes a folder/within"] {
        fs::create_dir_all(middle.join(name)).unwrap();
    }
    fs::set_permissions(middle, fs::Permissions::from_mode(0o711)).unwrap();
    fs::set_permissions(middle.join("etc"), fs::Permissions::from_mode(0o2775)).unwrap();
    fs::write(middle.join("etc/.wh.hosts"), "").unwrap();
    fs::write(middle.join("etc/.wh.large too"), "").unwrap();
    fs::write(middle.join("usr/share/.wh.deep"), "").unwrap();
    fs::write(middle.join(".wh.many"), "").unwrap();
    fs::write(middle.join(".wh.fifo"), "").unwrap();
    fs::write(middle.join("opaque/.wh..wh..opq"), "").unwrap();
    fs::write(middle.join("opaque/both"), "upper").unwrap();
    fs::write(middle.join("becomes a file"), "file").unwrap();
    symlink("usr", middle.join("becomes a link")).unwrap();
    fs::write(middle.join("becomes a folder/within/file"), "file").unwrap();
    tool("mknod", &[text(&middle.join("becomes a device")), "c", "1", "5"]);
    fs::write(middle.join("loses attributes"), "file").unwrap();
    fs::write(middle.join("was linked"), "file of its own").unwrap();

    // What was hidden comes back as something else, and so does what was replaced.
    fs::create_dir_all(top.join("many")).unwrap();
    fs::write(top.join("many/again"), "again").unwrap();
    fs::create_dir_all(top.join("becomes a link/in its place")).unwrap();
    fs::write(top.join("becomes a folder"), "a file again").unwrap();
    fs::write(top.join("usr"), "a file in place of the largest folder").unwrap();
    let mut tars: Vec<PathBuf> = Vec::new();
    for layer in &layers {
        tars.push(layer.with_extension("tar"));
        pack(layer, &tars[tars.len() - 1], "");
    }
    tars.insert(2, link_below(folder));
    tars
}

/// A layer that is one hard link to a file of a lower layer, with no word about the folder that it is in. Podman takes what
/// such an entry says about the file to be news; the others don't. So it says what is so.
fn link_below(folder: &Path) -> PathBuf {
    let path = folder.join("link.tar");
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(tar::EntryType::Link);
    header.set_size(0);
    header.set_mode(0o644);
    header.set_mtime(LINKED);
    let mut builder = tar::Builder::new(fs::File::create(&path).unwrap());
    builder.append_link(&mut header, "etc/link below", "large three").unwrap();
    builder.finish().unwrap();
    path
}
