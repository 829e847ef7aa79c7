//! The file system that layers become, against the kernel's EROFS, fsck.erofs and GNU tar.

// As other rooms call it: they share what is common.
extern crate bulkhead_images as images;

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use common::layers::{lowest_layer, pack, unpack_with_gnu_tar};
use common::{Mounted, assert_same, have, root, stitch, text, tool};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// An OCI layout of these layers, written without anybody's help, so that the tars stay as they are.
fn layout(layers: &[PathBuf], to: &Path) {
    use host::digest::Digest;
    let blobs = to.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    let put = |bytes: &[u8]| {
        let digest = Digest::of(bytes);
        fs::write(blobs.join(digest.hex()), bytes).unwrap();
        (digest, bytes.len())
    };
    let mut descriptors = Vec::new();
    let mut diff_ids = Vec::new();
    for layer in layers {
        let (digest, size) = put(&fs::read(layer).unwrap());
        diff_ids.push(format!("\"{digest}\""));
        descriptors.push(format!(
            r#"{{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"{digest}","size":{size}}}"#
        ));
    }
    let config = format!(
        r#"{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":[{}]}}}}"#,
        diff_ids.join(",")
    );
    let (config, config_size) = put(config.as_bytes());
    let manifest = format!(
        r#"{{"schemaVersion":2,"config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{config}","size":{config_size}}},"layers":[{}]}}"#,
        descriptors.join(",")
    );
    let (manifest, size) = put(manifest.as_bytes());
    let index = format!(
        r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{manifest}","size":{size}}}]}}"#
    );
    fs::write(to.join("index.json"), index).unwrap();
    fs::write(to.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
}

/// Unpack and merge the layers, check the result with fsck.erofs and the kernel, and compare it with GNU tar's.
fn check(layers: &[PathBuf], work: &Path) {
    let image = work.join("layout");
    layout(layers, &image);
    let (_, disk) = common::unpack(&work.join("cache"), &image, None).unwrap();
    let file = work.join("disk.erofs");
    stitch(&disk, &file);
    tool("fsck.erofs", &[text(&file)]);
    let theirs = work.join("theirs");
    unpack_with_gnu_tar(layers, &theirs);
    let mounted = Mounted::new(&file, &work.join("ours"));
    assert_same(&mounted.0, &theirs);
}

#[test]
fn layers_mount_as_gnu_tar_unpacks_them() {
    let name = "layers_mount_as_gnu_tar_unpacks_them";
    if !root(name) || !have(name, &["fsck.erofs", "tar", "mount"]) {
        return;
    }
    let work = tempfile::tempdir().unwrap();
    let work = work.path();
    lowest_layer(&work.join("1"));
    let middle = work.join("2");
    fs::create_dir_all(middle.join("etc")).unwrap();
    fs::create_dir_all(middle.join("usr/share/deep")).unwrap();
    fs::create_dir_all(middle.join("null")).unwrap();
    fs::write(middle.join("null/in a directory now"), "x").unwrap();
    fs::write(middle.join("etc/.wh.hosts"), "").unwrap();
    fs::write(middle.join("etc/.wh.large too"), "").unwrap();
    fs::write(middle.join("usr/.wh.page"), "").unwrap();
    fs::write(middle.join("usr/page"), "again, in the layer that hides it").unwrap();
    fs::write(middle.join("usr/share/deep/.wh..wh..opq"), "").unwrap();
    fs::write(middle.join("usr/share/deep/new"), "new").unwrap();
    fs::write(middle.join(".wh.null"), "").unwrap();
    let top = work.join("3");
    fs::create_dir_all(top.join("usr")).unwrap();
    fs::write(top.join("usr/.wh.share"), "").unwrap();
    fs::write(top.join("many"), "a file in place of a directory").unwrap();
    fs::write(top.join(".wh.many"), "").unwrap();
    let layers: Vec<PathBuf> =
        ["1", "2", "3"].map(|layer| work.join(format!("{layer}.tar"))).into();
    for layer in &layers {
        pack(&layer.with_extension(""), layer, "");
    }
    check(&layers, work);
}

#[test]
fn a_directory_mounts_as_it_is() {
    let name = "a_directory_mounts_as_it_is";
    if !root(name) || !have(name, &["fsck.erofs", "mount"]) {
        return;
    }
    let work = tempfile::tempdir().unwrap();
    let work = work.path();
    let directory = work.join("root");
    lowest_layer(&directory);
    drop(std::os::unix::net::UnixListener::bind(directory.join("socket")).unwrap());
    let (_, disk) = common::unpack(&work.join("cache"), &directory, None).unwrap();
    let file = work.join("disk.erofs");
    stitch(&disk, &file);
    tool("fsck.erofs", &[text(&file)]);
    let mounted = Mounted::new(&file, &work.join("ours"));
    assert_same(&mounted.0, &directory);
    let root = PathBuf::new();
    assert_eq!(common::facts(&mounted.0)[&root], common::facts(&directory)[&root]);
}

/// One change to a directory tree.
#[derive(Clone, Debug)]
enum Change {
    File(String, usize),
    Directory(String),
    Symlink(String, usize),
    HardLink(String, String),
    Xattr(String, usize),
    Whiteout(String),
    Opaque(String),
}

fn path() -> impl Strategy<Value = String> {
    let component = prop_oneof!["[a-c]", "[a-c]", "[!-.]{1,3}x", "[a-z]{200,255}"];
    prop::collection::vec(component, 1..4).prop_map(|parts| parts.join("/"))
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        4 => (path(), 0..20_000usize).prop_map(|(path, len)| Change::File(path, len)),
        2 => path().prop_map(Change::Directory),
        1 => (path(), 1..4096usize).prop_map(|(path, len)| Change::Symlink(path, len)),
        2 => (path(), path()).prop_map(|(from, to)| Change::HardLink(from, to)),
        1 => (path(), 0..5000usize).prop_map(|(path, len)| Change::Xattr(path, len)),
        1 => path().prop_map(Change::Whiteout),
        1 => path().prop_map(Change::Opaque),
    ]
}

/// Apply what can be applied: a change that does not fit the tree is left out.
fn apply(change: &Change, layer: &Path, below: Option<&Path>) {
    let parent = |path: &str| layer.join(path).parent().map(fs::create_dir_all);
    let visible =
        |path: &str| below.is_some_and(|below| below.join(path).symlink_metadata().is_ok());
    match change {
        Change::File(path, len) => {
            parent(path);
            let _ = fs::write(layer.join(path), vec![*len as u8; *len]);
        }
        Change::Directory(path) => drop(fs::create_dir_all(layer.join(path))),
        Change::Symlink(path, len) => {
            parent(path);
            let _ = symlink("t".repeat(*len), layer.join(path));
        }
        Change::HardLink(from, to) => {
            parent(to);
            let _ = fs::hard_link(layer.join(from), layer.join(to));
        }
        Change::Xattr(path, len) => {
            let value = vec![b'x'; *len % 3000];
            let flags = rustix::fs::XattrFlags::empty();
            let _ = rustix::fs::lsetxattr(layer.join(path), "trusted.x", &value, flags);
        }
        // Real layers hide what is there, and say nothing about it otherwise.
        Change::Whiteout(path) if visible(path) && layer.join(path).symlink_metadata().is_err() => {
            parent(path);
            let (folder, name) = path.rsplit_once('/').unwrap_or((".", path));
            let _ = fs::write(layer.join(folder).join(format!(".wh.{name}")), "");
        }
        Change::Opaque(path) if visible(path) && layer.join(path).is_dir() => {
            let _ = fs::write(layer.join(path).join(".wh..wh..opq"), "");
        }
        Change::Whiteout(_) | Change::Opaque(_) => {}
    }
}

/// Whether GNU tar can lay the layer over the tree: it does not replace a directory by a file, or the other way.
fn fits(layer: &Path, below: &Path) -> bool {
    common::facts(layer).keys().all(|name| {
        let (over, under) = (layer.join(name), below.join(name));
        let is_directory = |path: &Path| path.is_dir() && !path.is_symlink();
        let name = over.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let real =
            name.strip_prefix(".wh.").is_none_or(|hidden| !over.with_file_name(hidden).exists());
        real && (under.symlink_metadata().is_err() || is_directory(&over) == is_directory(&under))
    })
}

#[test]
fn random_trees_mount_as_gnu_tar_unpacks_them() {
    let name = "random_trees_mount_as_gnu_tar_unpacks_them";
    if !root(name) || !have(name, &["fsck.erofs", "tar", "mount"]) {
        return;
    }
    let changes = || prop::collection::vec(change(), 1..40);
    let mut runner = TestRunner::new(Config {
        cases: 16,
        failure_persistence: None,
        max_shrink_iters: 64,
        ..Config::default()
    });
    let outcome = runner.run(&(changes(), changes()), |(lower, upper)| {
        let work = tempfile::tempdir().unwrap();
        let work = work.path();
        let (one, two) = (work.join("1"), work.join("2"));
        fs::create_dir_all(&one).unwrap();
        fs::create_dir_all(&two).unwrap();
        lower.iter().for_each(|change| apply(change, &one, None));
        upper.iter().for_each(|change| apply(change, &two, Some(&one)));
        let mut layers = vec![work.join("1.tar")];
        pack(&one, &layers[0], "");
        if fits(&two, &one) {
            layers.push(work.join("2.tar"));
            pack(&two, &layers[1], "");
        }
        check(&layers, work);
        Ok(())
    });
    outcome.unwrap();
}
