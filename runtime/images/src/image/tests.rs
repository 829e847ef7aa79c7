mod archives;
mod choice;
mod entries;
mod layers;
mod limits;
mod odd_entries;

use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::path::Path;

use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use serde_json::{Value, json};

use super::compression::Decompressor;
use super::*;
use crate::layer::Limits;
use host::cache::Cache;
use host::platform::Platform;

#[test]
fn a_zstd_stream_may_have_several_frames_and_some_to_skip() {
    let frame = |text: &[u8]| compress_to_vec(text, CompressionLevel::Fastest);
    let skipped = [&[0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"toc"].concat();
    let stream =
        [frame(b"first "), skipped.clone(), frame(b""), frame(b"second"), skipped].concat();
    let mut text = String::new();
    Decompressor::new(&stream[..]).unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "first second");
    let cut = &stream[..stream.len() - 1];
    assert!(Decompressor::new(cut).unwrap().read_to_string(&mut text).is_err());
}

#[test]
fn a_name_follows_the_last_hash_unless_a_file_is_called_so() {
    let parse = |text: &str| Reference::parse(OsStr::new(text));
    assert_eq!(parse("/a/b.tar").name, None);
    let reference = parse("/a#b.tar#web:1.2");
    assert_eq!((reference.path, reference.name.as_deref()), ("/a#b.tar".into(), Some("web:1.2")));
    let work = tempfile::tempdir().unwrap();
    let file = work.path().join("really#called");
    fs::write(&file, "so").unwrap();
    assert_eq!(Reference::parse(file.as_os_str()), Reference { path: file, name: None });
}

/// A layout with documents, written by hand.
struct Layout(tempfile::TempDir);

impl Layout {
    fn new() -> Self {
        let layout = Self(tempfile::tempdir().unwrap());
        fs::create_dir_all(layout.path().join("blobs/sha256")).unwrap();
        fs::write(layout.path().join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        layout
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Put a blob and describe it.
    fn put(&self, media_type: &str, bytes: &[u8]) -> Value {
        let digest = Digest::of(bytes);
        fs::write(self.path().join("blobs/sha256").join(digest.hex()), bytes).unwrap();
        json!({"mediaType": media_type, "digest": digest.to_string(), "size": bytes.len()})
    }

    fn document(&self, kind: &str, document: &Value) -> Value {
        let media_type = format!("application/vnd.oci.image.{kind}.v1+json");
        self.put(&media_type, document.to_string().as_bytes())
    }

    /// An image without files for this architecture, and its manifest's descriptor.
    fn image(&self, architecture: &str) -> Value {
        self.image_of(architecture, &[vec![0; 1024]])
    }

    /// Likewise, of layers with these tars.
    fn image_of(&self, architecture: &str, tars: &[Vec<u8>]) -> Value {
        let layer = |tar: &Vec<u8>| {
            let layer = compress_to_vec(&tar[..], CompressionLevel::Fastest);
            self.put("application/vnd.oci.image.layer.v1.tar+zstd", &layer)
        };
        let layers: Vec<Value> = tars.iter().map(layer).collect();
        let diff_ids: Vec<String> = tars.iter().map(|tar| Digest::of(tar).to_string()).collect();
        let config = json!({
            "architecture": architecture, "os": "linux", "config": {"Env": [format!("ARCH={architecture}")]},
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        });
        let config = self.document("config", &config);
        let manifest = json!({"schemaVersion": 2, "config": config, "layers": layers});
        let mut descriptor = self.document("manifest", &manifest);
        descriptor["platform"] = json!({"architecture": architecture, "os": "linux"});
        descriptor
    }

    fn open(&self, manifests: &[Value], platform: Platform) -> Result<Image, String> {
        self.open_within(manifests, platform, Limits::default())
    }

    fn open_within(
        &self,
        manifests: &[Value],
        platform: Platform,
        limits: Limits,
    ) -> Result<Image, String> {
        self.write_index(manifests);
        let image = self.look(None, platform, limits)?;
        unpack(&self.cache(), &image, limits).map_err(|error| host::text::in_one_line(&error))?;
        Ok(image)
    }

    fn write_index(&self, manifests: &[Value]) {
        let index = json!({"schemaVersion": 2, "manifests": manifests});
        fs::write(self.path().join("index.json"), index.to_string()).unwrap();
    }

    fn cache(&self) -> Cache {
        Cache::open(self.path().join("cache")).unwrap()
    }

    /// Open the image of that name, and do not unpack it.
    fn look(
        &self,
        name: Option<&str>,
        platform: Platform,
        limits: Limits,
    ) -> Result<Image, String> {
        let reference = Reference { path: self.path().to_owned(), name: name.map(str::to_owned) };
        let image = open(&self.cache(), &reference, platform, limits);
        image.map_err(|error| host::text::in_one_line(&error))
    }
}

#[test]
fn an_index_for_several_platforms_gives_the_one_that_is_wanted() {
    let layout = Layout::new();
    let (arm, amd) = (layout.image("arm64"), layout.image("amd64"));
    let mut attestation = layout.image("unknown");
    attestation["platform"] = json!({"architecture": "unknown", "os": "unknown"});
    let index = json!({"schemaVersion": 2, "manifests": [arm.clone(), attestation, amd]});
    let nested = layout.document("index", &index);
    for (platform, env) in [(Platform::Amd64, "ARCH=amd64"), (Platform::Arm64, "ARCH=arm64")] {
        let image = layout.open(std::slice::from_ref(&nested), platform).unwrap();
        assert_eq!(image.config.env, [env]);
    }
}

#[test]
fn an_image_for_another_platform_is_refused_by_name() {
    let layout = Layout::new();
    let (arm, amd) = (layout.image("arm64"), layout.image("amd64"));
    let cases = [
        (arm, Platform::Amd64, "is for linux/arm64, this VM runs linux/amd64: give an image for"),
        (amd, Platform::Arm64, "is for linux/amd64, this VM runs linux/arm64: give an image for"),
    ];
    for (said, platform, message) in cases {
        // The image itself says the same when the index does not.
        let mut unsaid = said.clone();
        unsaid.as_object_mut().unwrap().remove("platform");
        for manifest in [said, unsaid] {
            let error = layout.open(&[manifest], platform).unwrap_err();
            assert!(error.contains(message), "{error}");
        }
    }
}

#[test]
fn documents_that_make_no_sense_are_refused() {
    let layout = Layout::new();
    let manifest = |document: Value| layout.document("manifest", &document);
    let config = layout.document(
        "config",
        &json!({
            "architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []},
        }),
    );
    let layer = layout.put("application/x-unknown", b"");
    let cases = [
        (
            json!({"schemaVersion": 2, "config": config, "layers": [layer]}),
            "0 diff_ids for 1 layers",
        ),
        (json!({"schemaVersion": 2, "config": config, "layers": vec![layer; 257]}), "257 layers"),
        (json!({"schemaVersion": 2}), "cannot understand 'blobs/sha256/"),
        (json!([]), "cannot understand 'blobs/sha256/"),
    ];
    for (document, message) in cases {
        let error = layout.open(&[manifest(document)], Platform::Amd64).unwrap_err();
        assert!(error.contains(message), "{error}");
    }
    assert!(layout.open(&[], Platform::Amd64).unwrap_err().contains("it holds no image"));
    // An index that goes deeper and deeper.
    let mut deep = layout.image("amd64");
    for _ in 0..6 {
        deep = layout.document("index", &json!({"schemaVersion": 2, "manifests": [deep]}));
    }
    assert!(layout.open(&[deep], Platform::Amd64).unwrap_err().contains("too deeply"));
}

#[test]
fn a_layer_of_the_cache_is_not_given_to_an_image_that_only_names_it() {
    let own = Layout::new();
    let tars = [vec![0; 1024], vec![0; 2048]];
    let image = own.image_of("amd64", &tars[..1]);
    own.open(std::slice::from_ref(&image), Platform::Amd64).unwrap();
    let held = || fs::read_dir(own.path().join("cache/held")).unwrap().count();
    assert_eq!(held(), 1);
    own.open(&[image], Platform::Amd64).unwrap();
    assert_eq!(held(), 1);
    // Another image with the same cache, which says that its layer is the first one's.
    let compressed = compress_to_vec(&tars[1][..], CompressionLevel::Fastest);
    let layer = own.put("application/vnd.oci.image.layer.v1.tar+zstd", &compressed);
    let config = json!({
        "architecture": "amd64", "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [Digest::of(&tars[0]).to_string()]},
    });
    let config = own.document("config", &config);
    let manifest = json!({"schemaVersion": 2, "config": config, "layers": [layer]});
    let error = own.open(&[own.document("manifest", &manifest)], Platform::Amd64).unwrap_err();
    let (expected, actual) = (Digest::of(&tars[0]), Digest::of(&tars[1]));
    assert!(error.contains(&format!("its digest is {actual}, expected {expected}")), "{error}");
    // With the bytes, packed in another way, it is.
    let layer = own.put("application/vnd.oci.image.layer.v1.tar", &tars[0]);
    let manifest = json!({"schemaVersion": 2, "config": config, "layers": [layer]});
    own.open(&[own.document("manifest", &manifest)], Platform::Amd64).unwrap();
    assert_eq!(held(), 2);
}
