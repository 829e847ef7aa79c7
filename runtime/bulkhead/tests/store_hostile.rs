//! Archives that mean harm, or are broken, leave nothing in the image store.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::store::Place;
use common::{text, tool};

#[test]
fn hostile_archives_leave_nothing() {
    let Some(place) = Place::new("hostile_archives_leave_nothing") else { return };
    let refused = |file: &str, message: &str| {
        place.fails(&["load", "-i", file], 1, message);
        assert_eq!(place.blobs(), 0, "{file}");
        assert_eq!(place.says(&["images", "-q"]), "", "{file}");
    };
    refused("gone", "gone: cannot read it");
    refused("root", "root: cannot read it");
    refused("root.tar", "is not an image archive");
    fs::write(place.path("empty"), "").unwrap();
    refused("empty", "is empty");
    for archive in ["docker.tar", "oci.tar"] {
        let bytes = fs::read(place.path(archive)).unwrap();
        fs::write(place.path("half"), &bytes[..bytes.len() / 2]).unwrap();
        refused("half", "cut short");
    }
    let unpacked = place.path("unpacked");
    let pack = || tool("tar", &["-C", text(&unpacked), "-cf", text(&place.path("bad.tar")), "."]);
    let unpack = |archive: &str| {
        let _ = fs::remove_dir_all(&unpacked);
        fs::create_dir(&unpacked).unwrap();
        tool("tar", &["-C", text(&unpacked), "-xf", text(&place.path(archive))]);
    };
    // A layer that is not what the image promises, the last of all blobs to be read.
    unpack("oci.tar");
    let largest = largest(&unpacked.join("blobs/sha256"));
    let mut bytes = fs::read(&largest).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&largest, bytes).unwrap();
    pack();
    refused("bad.tar", "is not what it should be: its digest is sha256:");
    unpack("docker.tar");
    let layer = self::largest(&unpacked);
    let mut bytes = fs::read(&layer).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&layer, bytes).unwrap();
    pack();
    refused("bad.tar", "its digest, uncompressed, is sha256:");
    let manifest = unpacked.join("manifest.json");
    let good = fs::read_to_string(&manifest).unwrap();
    let one = good.trim().trim_start_matches('[').trim_end_matches(']');
    let many = format!("[{}]", vec![one; 1001].join(","));
    for (wrong, message) in [
        (
            good.replace("busybox:1.35", "Busy Box"),
            "'docker.io/library/Busy Box' is no name of an image",
        ),
        (
            good.replace("\"Layers\":[\"", "\"Layers\":[\"/etc/passwd\",\""),
            "1 diff_ids for 2 layers",
        ),
        (good.replace("\"Config\":\"", "\"Config\":\"../../etc/"), "'../../etc/"),
        (many, "it lists 1001 images; the limit is 1000"),
    ] {
        assert_ne!(wrong, good, "{message}");
        fs::write(&manifest, wrong).unwrap();
        pack();
        refused("bad.tar", message);
    }
    let output =
        place.command(&["load", "-i", "docker.tar"]).env("BULKHEAD_MAX_LAYER_SIZE", "64K").output();
    let output = output.unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("unpacks to more than 65536 bytes"));
    assert_eq!((output.status.code(), place.blobs()), (Some(1), 0));
}

fn largest(folder: &Path) -> PathBuf {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.max_by_key(|path| fs::symlink_metadata(path).unwrap().len()).unwrap()
}
