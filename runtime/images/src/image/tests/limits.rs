//! What an image may cost, whatever its layers are split into.

use std::fs::File;
use std::os::unix::fs::MetadataExt;

use super::super::archive::Archive;
use super::*;

/// A tar of files, each with so many zeros.
fn zeros(names: &[String], len: u64) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for name in names {
        let mut header = tar::Header::new_gnu();
        header.set_size(len);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, std::io::repeat(0).take(len)).unwrap();
    }
    builder.into_inner().unwrap()
}

fn names(start: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{start}{number}")).collect()
}

#[test]
fn layers_share_the_images_limits() {
    let limits = Limits { size: 1 << 20, entries: 10, metadata: 1000 };
    let layers = |layer: &dyn Fn(usize) -> Vec<u8>| -> [Vec<u8>; 3] { std::array::from_fn(layer) };
    let long = "n".repeat(200);
    let cases = [
        (
            layers(&|n| zeros(&names(&format!("l{n}-"), 1), 1_000_000)),
            "unpack to more than 2097152 bytes in all",
        ),
        (layers(&|n| zeros(&names(&format!("l{n}-"), 9), 0)), "have more than 20 entries in all"),
        (
            layers(&|n| zeros(&names(&format!("l{n}-{long}"), 4), 0)),
            "take more than 2000 bytes in all",
        ),
    ];
    for (tars, message) in cases {
        let layout = Layout::new();
        let image = |count: usize| layout.image_of("amd64", &tars[..count]);
        let open = |image: Value, limits| layout.open_within(&[image], Platform::Amd64, limits);
        open(image(2), limits).unwrap();
        let error = open(image(3), limits).unwrap_err();
        assert!(error.contains(message) && error.contains("layer sha256:"), "{error}");
        // What is in the cache already costs as much.
        open(image(3), Limits::default()).unwrap();
        let more = layout.image_of("amd64", &[&tars[..], &[zeros(&names("more", 1), 0)]].concat());
        let error = open(more, limits).unwrap_err();
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn zeros_of_a_layer_take_no_room() {
    let layout = Layout::new();
    let tar = zeros(&names("zeros", 2), 8 << 20);
    layout.open(&[layout.image_of("amd64", std::slice::from_ref(&tar))], Platform::Amd64).unwrap();
    let blob = layout.path().join("cache/blobs").join(Digest::of(&tar).hex());
    let metadata = fs::metadata(blob).unwrap();
    // st_blocks counts 512 bytes (stat(2)).
    assert_eq!(metadata.len(), 16 << 20);
    assert!(metadata.blocks() * 512 < 1 << 20, "{} blocks", metadata.blocks());
}

#[test]
fn implied_folders_count_as_entries() {
    let layout = Layout::new();
    let tar = zeros(&[format!("{}file", "a/".repeat(100))], 0);
    let image = layout.image_of("amd64", &[tar]);
    let limits = Limits { entries: 50, ..Limits::default() };
    let error = layout.open_within(&[image], Platform::Amd64, limits).unwrap_err();
    assert!(error.contains("there are more than 50 entries"), "{error}");
}

#[test]
fn names_of_an_archives_members_are_bounded() {
    let work = tempfile::tempdir().unwrap();
    let path = work.path().join("archive.tar");
    let list = |names: &[String]| {
        fs::write(&path, zeros(names, 0)).unwrap();
        let cache = Cache::open(work.path().join("cache")).unwrap();
        let file = File::open(&path).unwrap();
        Archive::list(&cache, &path, file, [0; 11], Limits::default())
    };
    let long = |start: &str| format!("{start}{}", "/a".repeat(2045));
    let kept = list(&[long("few")]).unwrap().unwrap();
    assert!(kept.find(&long("few")).is_some());
    let error = list(&[format!("{}aa", long("long"))]).unwrap_err();
    assert!(error.to_string().contains("bytes long; the limit is 4095"), "{error}");
    // More than all names may take together are no image archive's.
    let many: Vec<String> = (0..4200).map(|number| long(&format!("{number:04}"))).collect();
    assert!(list(&many).unwrap().is_none());
}
