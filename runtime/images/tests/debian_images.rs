//! Images of real Debian packages: what we make of them, against umoci's and GNU tar's unpacking.
//!
//! `cargo xtask test` downloads the packages before, with all that they depend on.

// As other rooms call it: they share what is common.
extern crate bulkhead_images as images;

mod common;

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use common::layers::{nasty_layers, pack, unpack_with_gnu_tar};
use common::{Mounted, assert_same, facts, have, root, stitch, text, tool};

/// Has a folder of packages for each image.
const PACKAGES: &str = "BULKHEAD_PACKAGES";

/// An image in an OCI layout in a temporary folder.
struct Image {
    work: tempfile::TempDir,
}

impl Image {
    /// An image without layers; `None` when it cannot be judged here.
    fn new(test: &str) -> Option<Self> {
        if !root(test) || !have(test, &["umoci", "tar", "mount", "fsck.erofs"]) {
            return None;
        }
        let image = Self { work: tempfile::tempdir().unwrap() };
        let layout = image.path("layout");
        tool("umoci", &["init", "--layout", text(&layout)]);
        tool("umoci", &["new", "--image", &image.name("first")]);
        tool("umoci", &["config", "--image", &image.name("first"), "--architecture", "amd64"]);
        Some(image)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.work.path().join(name)
    }

    fn name(&self, tag: &str) -> String {
        format!("{}:{tag}", text(&self.path("layout")))
    }

    fn add(&self, layer: &Path) {
        tool("umoci", &["raw", "add-layer", "--image", &self.name("first"), text(layer)]);
    }

    /// A file tree as umoci unpacks it, with what umoci notes down about it in the folder around.
    fn unpack_with_umoci(&self, tag: &str) -> PathBuf {
        let bundle = self.path(&format!("umoci {tag}"));
        tool("umoci", &["unpack", "--image", &self.name(tag), text(&bundle)]);
        bundle.join("rootfs")
    }

    /// What we make of it, mounted by the kernel.
    fn mount(&self, tag: &str) -> Mounted {
        let (_, disk) =
            common::unpack(&self.path("cache"), &self.path("layout"), Some(tag)).unwrap();
        let file = self.path("disk.erofs");
        stitch(&disk, &file);
        tool("fsck.erofs", &[text(&file)]);
        Mounted::new(&file, &self.path("mounted"))
    }

    /// The layers' tars, the lowest first, as they are in the layout.
    fn layers(&self, tag: &str) -> Vec<PathBuf> {
        let layout = self.path("layout");
        let blob = |descriptor: &serde_json::Value| {
            let digest = descriptor["digest"].as_str().unwrap();
            layout.join("blobs").join(digest.replace(':', "/"))
        };
        let read = |path: PathBuf| -> serde_json::Value {
            serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
        };
        let index = read(layout.join("index.json"));
        let mut entries = index["manifests"].as_array().unwrap().iter();
        let entry = entries.find(|entry| {
            entry["annotations"]["org.opencontainers.image.ref.name"].as_str() == Some(tag)
        });
        let manifest = read(blob(entry.unwrap()));
        manifest["layers"].as_array().unwrap().iter().map(blob).collect()
    }
}

/// Unpack packages, as dpkg does before it runs their scripts.
fn unpack_packages(packages: &[PathBuf], to: &Path) {
    fs::create_dir(to).unwrap();
    fs::set_permissions(to, fs::Permissions::from_mode(0o755)).unwrap();
    for package in packages {
        tool("dpkg-deb", &["-x", text(package), text(to)]);
    }
}

/// What people do to a file tree in a third layer, to make it smaller and their own.
fn tidy(tree: &Path) {
    fs::remove_dir_all(tree.join("usr/share/doc")).unwrap();
    fs::remove_dir_all(tree.join("usr/share/zoneinfo/Europe")).unwrap();
    fs::remove_file(tree.join("usr/share/zoneinfo/Asia/Tokyo")).unwrap();
    fs::create_dir_all(tree.join("usr/share/doc/only this")).unwrap();
    fs::write(tree.join("usr/share/doc/only this/copyright"), "ours").unwrap();
    fs::write(tree.join("etc/hostname"), "judged\n").unwrap();
    let issue = fs::OpenOptions::new().append(true).open(tree.join("etc/issue"));
    issue.unwrap().write_all(b"changed\n").unwrap();
    fs::set_permissions(tree.join("etc/issue"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(tree.join("var/tmp"), fs::Permissions::from_mode(0o2770)).unwrap();
    std::os::unix::fs::lchown(tree.join("root"), Some(1000), Some(1000)).unwrap();
    fs::hard_link(tree.join("etc/debian_version"), tree.join("etc/version")).unwrap();
}

/// Make an image of the packages called `image`, those whose names contain a word of `programs` in a layer of their own,
/// and compare what comes of it.
fn judge(test: &str, image: &str, programs: &[&str]) {
    let folder = std::env::var_os(PACKAGES).map(|folder| Path::new(&folder).join(image));
    let Some(folder) = folder.filter(|folder| folder.is_dir()) else {
        println!(
            "SKIPPED: {test}: there are no packages for {image}: cargo xtask test, on this machine"
        );
        return;
    };
    let Some(built) = Image::new(test).filter(|_| have(test, &["dpkg-deb"])) else { return };
    let packages = fs::read_dir(folder).unwrap();
    let mut packages: Vec<PathBuf> = packages.map(|entry| entry.unwrap().path()).collect();
    packages.retain(|path| path.extension().is_some_and(|extension| extension == "deb"));
    packages.sort();
    let is_program = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap().split('_').next().unwrap();
        programs.iter().any(|program| name.contains(program))
    };
    let (programs, base): (Vec<_>, Vec<_>) = packages.into_iter().partition(is_program);
    assert!(!programs.is_empty() && !base.is_empty(), "{image}: {base:?}, {programs:?}");
    for (name, packages) in [("base", &base), ("programs", &programs)] {
        let (tree, tar) = (built.path(name), built.path(&format!("{name}.tar")));
        unpack_packages(packages, &tree);
        pack(&tree, &tar, "");
        built.add(&tar);
    }
    let first = built.unpack_with_umoci("first");
    assert_same(&built.mount("first").0, &first);
    tidy(&first);
    let bundle = first.parent().unwrap();
    tool("umoci", &["repack", "--image", &built.name("second"), text(bundle)]);

    let second = built.unpack_with_umoci("second");
    let mounted = built.mount("second");
    assert_same(&mounted.0, &second);
    let with_tar = built.path("tar");
    let layers = built.layers("second");
    assert_eq!(layers.len(), 3);
    let hides = tool("tar", &["-tf", text(&layers[2])]);
    assert!(hides.contains("usr/share/zoneinfo/.wh.Europe\n"), "{hides}");
    unpack_with_gnu_tar(&layers, &with_tar);
    assert_same(&mounted.0, &with_tar);
    let count = facts(&second).len();
    println!("{image}: {} packages, {count} files", base.len() + programs.len());
    assert!(count > 1000, "{image}: {count} files are too few for a judgement");
}

#[test]
fn busybox() {
    judge("busybox", "busybox", &["busybox"]);
}

#[test]
fn bash_and_coreutils() {
    judge("bash_and_coreutils", "bash", &["bash", "coreutils"]);
}

#[test]
fn python() {
    judge("python", "python3-minimal", &["python3"]);
}

#[test]
fn nginx() {
    judge("nginx", "nginx-light", &["nginx"]);
}

#[test]
fn redis() {
    judge("redis", "redis-server", &["redis"]);
}

#[test]
fn umoci_agrees_on_all_that_a_layer_can_do() {
    let Some(image) = Image::new("umoci_agrees_on_all_that_a_layer_can_do") else { return };
    nasty_layers(image.work.path()).iter().for_each(|layer| image.add(layer));
    // A whiteout hides nothing of the layer that it is in, even if it comes after it (OCI image specification, "Image Layer
    // Filesystem Changeset", "Whiteouts": "Files that are present in the same layer as a whiteout file can only be
    // hidden by whiteout files in subsequent layers"). Podman 4 fails on such a layer.
    let late = image.path("late.tar");
    let mut builder = tar::Builder::new(fs::File::create(&late).unwrap());
    for name in
        ["opaque/both", "opaque/.wh.both", "new/", "new/file", ".wh.new", "new/.wh..wh..opq"]
    {
        let mut header = tar::Header::new_ustar();
        header.set_mode(0o755);
        header.set_size(0);
        header.set_entry_type(tar::EntryType::Regular);
        if name.ends_with('/') {
            header.set_entry_type(tar::EntryType::Directory);
        }
        builder.append_data(&mut header, name, &b""[..]).unwrap();
    }
    builder.finish().unwrap();
    image.add(&late);
    let theirs = image.unpack_with_umoci("first");
    let ours = image.mount("first");
    assert_same(&ours.0, &theirs);
    // They could agree on something else.
    let has = |name: &str| ours.0.join(name).symlink_metadata().is_ok();
    for name in
        ["opaque/both", "new/file", "many/again", "becomes a link/in its place", "etc/link below"]
    {
        assert!(has(name), "{name}");
    }
    for name in
        ["opaque/folder", "etc/hosts", "etc/large too", "fifo", "becomes a link/with", "usr/large"]
    {
        assert!(!has(name), "{name}");
    }
    let facts = facts(&ours.0);
    let fact = |name: &str| &facts[Path::new(name)];
    assert_eq!((fact("etc").mode, fact("etc/link below").links), (0o42775, 2));
    assert!(fact("loses attributes").xattrs.is_empty() && fact("usr").contents.is_some());
    assert_eq!((fact("was linked").links, fact("is linked no more").links), (1, 1));
}
