//! Layers as archives have them: in every compression under any media type, with holes, and none at all.

use super::super::compression::{Compression, tests::compress};
use super::*;
use crate::layer::Layer;
use crate::tree::{Kind, Tree};

const ALL: [Compression; 5] =
    [Compression::None, Compression::Gzip, Compression::Zstd, Compression::Xz, Compression::Bzip2];

pub fn tar_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, data) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(data.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, *data).unwrap();
    }
    builder.into_inner().unwrap()
}

/// The documents of a docker archive with one image of this layer, and no end.
fn documents(layer: &[u8]) -> Vec<u8> {
    let config = json!({
        "architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [Digest::of(layer).to_string()]},
    });
    let config = config.to_string().into_bytes();
    let name = format!("{}.json", Digest::of(&config).hex());
    let manifest =
        json!([{"Config": name, "RepoTags": ["localhost/packed:1"], "Layers": ["layer.tar"]}]);
    let mut tar = tar_of(&[(&name, &config), ("manifest.json", manifest.to_string().as_bytes())]);
    tar.truncate(tar.len() - 1024);
    tar
}

fn docker_archive(layer: &[u8], packed: &[u8]) -> Vec<u8> {
    [documents(layer), tar_of(&[("layer.tar", packed)])].concat()
}

fn opened(work: &Path, archive: &[u8]) -> Result<(), String> {
    let file = work.join("image.tar");
    fs::write(&file, archive).unwrap();
    let cache = Cache::open(work.join("cache")).unwrap();
    let reference = Reference { path: file, name: None };
    let image = open(&cache, &reference, Platform::Amd64, Limits::default());
    let image = image.map_err(|error| host::text::in_one_line(&error))?;
    let unpacked = unpack(&cache, &image, Limits::default());
    unpacked.map(drop).map_err(|error| host::text::in_one_line(&error))
}

#[test]
fn archives_and_layers_are_read_in_every_compression() {
    let layer = tar_of(&[("a", b"a\n")]);
    for outer in ALL {
        for inner in ALL {
            let work = tempfile::tempdir().unwrap();
            let archive = docker_archive(&layer, &compress(inner, &layer));
            assert_eq!(
                opened(work.path(), &compress(outer, &archive)),
                Ok(()),
                "{inner:?} in {outer:?}"
            );
        }
        // A root file system.
        let work = tempfile::tempdir().unwrap();
        assert_eq!(opened(work.path(), &compress(outer, &layer)), Ok(()), "{outer:?}");
    }
}

#[test]
fn a_layers_media_type_does_not_say_how_it_is_packed() {
    let tar = tar_of(&[("a", b"a\n")]);
    for media_type in [
        "application/vnd.oci.image.layer.v1.tar",
        "application/vnd.oci.image.layer.v1.tar+gzip",
        "application/vnd.oci.image.layer.v1.tar+xz",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
        "application/vnd.docker.image.rootfs.diff.tar.bzip2",
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "application/x-tar",
        "",
    ] {
        for compression in ALL {
            let layout = Layout::new();
            let layer = layout.put(media_type, &compress(compression, &tar));
            let result = layout.open(&[layout.image_with(&tar, &layer)], Platform::Amd64);
            assert!(result.is_ok(), "{compression:?} as '{media_type}': {result:?}");
        }
    }
    let layout = Layout::new();
    let layer = layout.put("application/vnd.oci.image.layer.v1.tar+gzip+encrypted", b"secret");
    let error = layout.open(&[layout.image_with(&tar, &layer)], Platform::Amd64).unwrap_err();
    assert!(
        error.contains(
            "'application/vnd.oci.image.layer.v1.tar+gzip+encrypted', which is not supported"
        ),
        "{error}"
    );
}

impl Layout {
    /// An image of the layer that this descriptor describes.
    fn image_with(&self, tar: &[u8], layer: &Value) -> Value {
        let config = self.document("config", &json!({
            "architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [Digest::of(tar).to_string()]},
        }));
        self.document("manifest", &json!({"schemaVersion": 2, "config": config, "layers": [layer]}))
    }
}

#[test]
fn an_image_may_have_no_layers_and_a_layer_no_bytes() {
    let layout = Layout::new();
    for (layers, rootfs) in [
        (json!([]), json!({"type": "layers", "diff_ids": []})),
        (json!(null), json!({"type": "layers"})),
        (json!(null), json!({"type": "layers", "diff_ids": null})),
    ] {
        let config = layout
            .document("config", &json!({"architecture": "amd64", "os": "linux", "rootfs": rootfs}));
        let manifest = json!({"schemaVersion": 2, "config": config, "layers": layers});
        let image = layout.open(&[layout.document("manifest", &manifest)], Platform::Amd64);
        assert_eq!(image.unwrap().layers.len(), 0);
    }
    for compression in ALL {
        let layer =
            layout.put("application/vnd.oci.image.layer.v1.tar", &compress(compression, b""));
        layout.open(&[layout.image_with(b"", &layer)], Platform::Amd64).unwrap();
    }
}

#[test]
fn an_archive_without_an_end_is_whole_where_its_documents_say_so() {
    let work = tempfile::tempdir().unwrap();
    let layer = tar_of(&[("a", b"a\n")]);
    let archive = docker_archive(&layer, &layer[..layer.len() - 1024]);
    let error = opened(work.path(), &archive).unwrap_err();
    assert!(error.contains("expected sha256:"), "{error}");
    let unmarked = &layer[..layer.len() - 1024];
    let archive = docker_archive(unmarked, unmarked);
    for end in [0, 512, 1024] {
        assert_eq!(opened(work.path(), &archive[..archive.len() - 1024 + end]), Ok(()));
    }
    let garbage = [&archive[..], b"and something behind it"].concat();
    assert_eq!(opened(work.path(), &garbage), Ok(()));
    // Of a root file system nothing but the end says that it is whole.
    let error = opened(work.path(), unmarked).unwrap_err();
    assert!(error.contains("cut short: the end of the archive is not marked"), "{error}");
}

/// A tar with one sparse file in the format that GNU tar writes today, with half a MiB of zeros in front of its data.
fn sparse(name: &str, data: &[u8]) -> Vec<u8> {
    let offset = 512 << 10;
    let mut map = format!("1\n{offset}\n{}\n", data.len()).into_bytes();
    map.resize(512, 0);
    map.extend(data);
    let size = (offset + data.len()).to_string();
    let mut builder = tar::Builder::new(Vec::new());
    builder
        .append_pax_extensions([
            ("GNU.sparse.major", &b"1"[..]),
            ("GNU.sparse.minor", b"0"),
            ("GNU.sparse.name", name.as_bytes()),
            ("GNU.sparse.realsize", size.as_bytes()),
        ])
        .unwrap();
    let mut header = tar::Header::new_ustar();
    header.set_size(map.len() as u64);
    header.set_mode(0o644);
    builder.append_data(&mut header, "GNUSparseFile.1/x", &map[..]).unwrap();
    builder.into_inner().unwrap()
}

#[test]
fn sparse_files_of_layers_and_of_archives_are_expanded() {
    let tar = sparse("opt/holes", b"data");
    let layout = Layout::new();
    let image = layout.image_of("amd64", std::slice::from_ref(&tar));
    layout.open(&[image], Platform::Amd64).unwrap();
    let blob = fs::read(layout.path().join("cache/blobs").join(Digest::of(&tar).hex())).unwrap();
    assert_eq!(blob.len(), (512 << 10) + 4096);
    assert!(
        blob[..512 << 10].iter().all(|&byte| byte == 0) && blob[512 << 10..].starts_with(b"data")
    );
    // A layer may be a sparse file of the archive. This one begins with the end of a tar.
    let layer = [&vec![0; 512 << 10][..], b"data"].concat();
    let work = tempfile::tempdir().unwrap();
    let archive = |data: &[u8]| [documents(&layer), sparse("layer.tar", data)].concat();
    assert_eq!(opened(work.path(), &archive(b"data")), Ok(()));
    // The cache has it now, and other bytes of that length in that place are still none of it.
    assert!(opened(work.path(), &archive(b"DATA")).unwrap_err().contains("its digest is"));
}

fn unpacked(tar: &[u8]) -> Layer {
    let mut reader = crate::tar::Reader::new(crate::tar::Stream(tar));
    let mut meter = crate::layer::Meter::new(Limits::default());
    crate::layer::unpack_tar(&mut reader, Vec::new(), &mut meter).unwrap()
}

#[test]
fn what_comes_later_in_a_layer_replaces_what_was_there() {
    use tar::EntryType as T;
    let mut builder = tar::Builder::new(Vec::new());
    let mut entry = |kind, name: &str, mode: u32| {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_path(name).unwrap();
        header.set_size(0);
        header.set_mode(mode);
        header.set_cksum();
        builder.append(&header, &b""[..]).unwrap();
    };
    entry(T::Regular, "becomes a folder", 0o644);
    entry(T::Directory, "becomes a folder", 0o700);
    entry(T::Regular, "becomes a folder/file", 0o644);
    entry(T::Directory, "becomes a file", 0o755);
    entry(T::Regular, "becomes a file/gone", 0o644);
    entry(T::Regular, "becomes a file", 0o600);
    entry(T::Regular, "twice", 0o600);
    entry(T::Regular, "twice", 0o640);
    entry(T::Directory, "stays", 0o755);
    entry(T::Regular, "stays/file", 0o644);
    entry(T::Directory, "stays", 0o711);
    // A whiteout is about lower layers, wherever in its own it stands.
    entry(T::Regular, "stays/.wh.file", 0);
    entry(T::Regular, "stays/.wh..wh..opq", 0);
    entry(T::Regular, ".wh.back", 0);
    entry(T::Regular, "back", 0o644);
    // aufs' own files are no part of a layer.
    entry(T::Directory, ".wh..wh.plnk", 0o700);
    entry(T::Regular, ".wh..wh.plnk/12.34", 0o644);
    let bytes = builder.into_inner().unwrap();
    let layer = unpacked(&bytes);
    let mode = |path: &str| {
        let id = layer.tree.find(&crate::tree::relative(path.as_bytes())).unwrap()?;
        Some(layer.tree.node(id).meta.mode)
    };
    assert_eq!(mode("becomes a folder"), Some(0o700));
    assert_eq!(mode("becomes a folder/file"), Some(0o644));
    assert_eq!((mode("becomes a file"), mode("becomes a file/gone")), (Some(0o600), None));
    assert_eq!((mode("twice"), mode("back")), (Some(0o640), Some(0o644)));
    assert_eq!((mode("stays"), mode("stays/file")), (Some(0o711), Some(0o644)));
    assert_eq!((mode(".wh..wh.plnk"), mode(".wh.back")), (None, None));
}

#[test]
fn names_of_a_layer_are_cleaned() {
    let mut builder = tar::Builder::new(Vec::new());
    let mut entry = |kind, name: &str, link: &str, data: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(data.len() as u64);
        header.set_mode(0o644);
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_cksum();
        builder.append(&header, data).unwrap();
    };
    use tar::EntryType as T;
    entry(T::Regular, "/usr//one", "", b"shared\n");
    for (name, link) in [
        ("usr/two", "/usr/one"),
        ("./usr/./three", "./usr/one"),
        ("/../usr/x/../four", "usr/x/../one"),
    ] {
        entry(T::Link, name, link, b"");
    }
    entry(T::Regular, "usr/x/../../etc/file", "", b"");
    let bytes = builder.into_inner().unwrap();
    let layer = unpacked(&bytes);
    let find = |path: &[&[u8]]| layer.tree.find(path).unwrap();
    let one = find(&[b"usr", b"one"]).unwrap();
    assert!(matches!(layer.tree.node(one).kind, Kind::File(extent) if extent.size == 7));
    for name in [&b"two"[..], b"three", b"four"] {
        assert_eq!(find(&[b"usr", name]), Some(one));
    }
    assert!(find(&[b"etc", b"file"]).is_some());
    assert_eq!(layer.tree.node(Tree::ROOT).children().unwrap().len(), 2);
}
