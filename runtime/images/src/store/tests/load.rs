//! Archives that docker loads.

use std::io::{Seek, Write};

use serde_json::{Value, json};

use super::*;
use crate::image::compression::{Compression, tests::compress};
use crate::layer::Limits;
use host::cache::Cache;
use host::platform::Platform;

fn tar_of(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, data) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(data.len() as u64);
        builder.append_data(&mut header, name, &data[..]).unwrap();
    }
    builder.into_inner().unwrap()
}

/// A docker archive of an image of these layers.
fn docker_archive(config: Value, layers: &[Vec<u8>]) -> Vec<u8> {
    let config = config.to_string().into_bytes();
    let name = format!("{}.json", Digest::of(&config).hex());
    let mut files = vec![(name.clone(), config)];
    let names: Vec<String> =
        (0..layers.len()).map(|number| format!("{number}/layer.tar")).collect();
    files.extend(names.iter().cloned().zip(layers.iter().cloned()));
    let layers = if layers.is_empty() { Value::Null } else { json!(names) };
    let manifest = json!([{"Config": name, "RepoTags": ["localhost/x:1"], "Layers": layers}]);
    files.push(("manifest.json".to_owned(), manifest.to_string().into_bytes()));
    tar_of(&files)
}

/// An OCI archive of these entries, with these blobs.
fn oci_archive(entries: Value, blobs: &[Vec<u8>]) -> Vec<u8> {
    let index = json!({"schemaVersion": 2, "manifests": entries});
    let mut files = vec![
        ("oci-layout".to_owned(), LAYOUT.to_vec()),
        ("index.json".to_owned(), index.to_string().into_bytes()),
    ];
    let blob = |blob: &Vec<u8>| (format!("blobs/sha256/{}", Digest::of(blob).hex()), blob.clone());
    files.extend(blobs.iter().map(blob));
    tar_of(&files)
}

fn describe(kind: &str, blob: &[u8]) -> Value {
    json!({
        "mediaType": format!("application/vnd.oci.image.{kind}.v1+json"),
        "digest": Digest::of(blob).to_string(), "size": blob.len(),
    })
}

/// A manifest of an image without layers, and its configuration.
fn image(config: Value) -> [Vec<u8>; 2] {
    let config = config.to_string().into_bytes();
    let manifest =
        json!({"schemaVersion": 2, "config": describe("config", &config), "layers": null});
    [manifest.to_string().into_bytes(), config]
}

fn loaded(archive: &[u8]) -> Result<(tempfile::TempDir, ImageStore, Vec<Loaded>), String> {
    let (folder, store) = store();
    let cache = Cache::open(folder.path().join("cache")).unwrap();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(archive).unwrap();
    file.rewind().unwrap();
    let (path, limits) = (Path::new("x.tar"), Limits::default());
    let loaded = load(&store, &cache, path, &mut file, Platform::Amd64, limits, &|| Ok(vec![]));
    let loaded = loaded.map_err(|error| host::text::in_one_line(&error))?;
    Ok((folder, store, loaded))
}

#[test]
fn an_image_without_layers_is_loaded() {
    for rootfs in [json!({"type": "layers"}), json!({"diff_ids": null}), json!({"diff_ids": []})] {
        let config = json!({"architecture": "amd64", "os": "linux", "rootfs": rootfs});
        let (_folder, store, loaded) = loaded(&docker_archive(config.clone(), &[])).unwrap();
        assert_eq!(loaded[0].names, [Name::parse("localhost/x:1").unwrap()]);
        let stored = store.resolve("localhost/x:1").unwrap();
        let image = store.open_image(&stored, String::new(), Platform::Amd64).unwrap();
        assert!(image.layers.is_empty());
        // And saved, and loaded from that.
        for format in [Format::DockerArchive, Format::OciArchive] {
            let mut out = Vec::new();
            save(&store, &["localhost/x:1".to_owned()], format, Limits::default(), &mut out)
                .unwrap();
            assert_eq!(super::load::loaded(&out).unwrap().2, loaded, "{format:?}");
        }
    }
    let config = json!({"architecture": "amd64", "os": "linux"});
    let error = loaded(&docker_archive(config, &[])).err().unwrap();
    assert!(error.contains(".json'") && error.contains("missing field `rootfs`"), "{error}");
}

#[test]
fn archives_and_their_layers_come_in_every_compression() {
    let layer = tar_of(&[("a".to_owned(), b"a\n".to_vec())]);
    let diff_id = Digest::of(&layer);
    let config = json!({
        "architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [diff_id.to_string()]},
    });
    for compression in [
        Compression::None,
        Compression::Gzip,
        Compression::Zstd,
        Compression::Xz,
        Compression::Bzip2,
    ] {
        let archive = docker_archive(config.clone(), &[compress(compression, &layer)]);
        for archive in [&archive[..], &compress(compression, &archive)] {
            let (_folder, store, _) = loaded(archive).unwrap();
            let stored = store.resolve("localhost/x:1").unwrap();
            let manifest = store.manifest(&stored.manifest).unwrap();
            let layer = &manifest.layers()[0];
            // What has no media type of OCI's is kept as a plain tar.
            let is_plain = layer.digest().to_string() == diff_id.to_string();
            let has_type = matches!(compression, Compression::Gzip | Compression::Zstd);
            assert_eq!(is_plain, !has_type, "{compression:?} as {}", layer.media_type());
            store.open_image(&stored, String::new(), Platform::Amd64).unwrap();
        }
    }
}

#[test]
fn of_an_index_the_image_for_this_platform_is_loaded() {
    let config = |architecture: &str| json!({"architecture": architecture, "os": "linux", "rootfs": {"type": "layers"}});
    let (arm, amd) = (image(config("arm64")), image(config("amd64")));
    let name = |mut entry: Value| {
        entry["annotations"] = json!({"org.opencontainers.image.ref.name": "localhost/x:1"});
        entry
    };
    let entries = [&arm, &amd].map(|image| describe("manifest", &image[0]));
    let index = json!({"schemaVersion": 2, "manifests": entries}).to_string().into_bytes();
    let blobs = [&arm[..], &amd[..], std::slice::from_ref(&index)].concat();
    let id = Digest::of(&amd[1]);
    // Nested, and side by side under one name, without a word about platforms.
    for entries in [vec![name(describe("index", &index))], entries.clone().map(name).to_vec()] {
        let (_folder, store, loaded) = loaded(&oci_archive(json!(entries), &blobs)).unwrap();
        assert_eq!(loaded.iter().map(|image| image.id).collect::<Vec<_>>(), [id]);
        assert_eq!(store.resolve("localhost/x:1").unwrap().id, id);
    }
    // One alone is taken for whatever platform it is.
    let (_folder, store, _) =
        loaded(&oci_archive(json!([name(entries[0].clone())]), &blobs)).unwrap();
    assert_eq!(store.resolve("localhost/x:1").unwrap().id, Digest::of(&arm[1]));
    // What is beside an image is left out.
    let statement = b"{}".to_vec();
    let mut layer = describe("x", &statement);
    layer["mediaType"] = json!("application/vnd.in-toto+json");
    let manifest =
        json!({"schemaVersion": 2, "config": describe("config", &amd[1]), "layers": [layer]});
    let manifest = manifest.to_string().into_bytes();
    let entries = json!([describe("manifest", &manifest), name(entries[1].clone())]);
    let blobs = [&blobs[..], &[manifest, statement]].concat();
    assert_eq!(loaded(&oci_archive(entries, &blobs)).unwrap().2.len(), 1);
}
