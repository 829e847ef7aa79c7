//! Which image of several is meant.

use super::super::platform::fit;
use super::*;

impl Layout {
    /// An image without files whose variable says which it is, and its manifest's descriptor without a platform.
    pub fn variant(&self, which: &str, others: Value) -> Value {
        let mut config = json!({
            "architecture": "amd64", "os": "linux", "config": {"Env": [format!("WHICH={which}")]},
            "rootfs": {"type": "layers", "diff_ids": []},
        });
        config.as_object_mut().unwrap().extend(others.as_object().unwrap().clone());
        let config = self.document("config", &config);
        self.document("manifest", &json!({"schemaVersion": 2, "config": config, "layers": []}))
    }

    pub fn index(&self, manifests: &[Value]) -> Value {
        self.document("index", &json!({"schemaVersion": 2, "manifests": manifests}))
    }

    /// Something that BuildKit, cosign or ORAS puts beside an image.
    fn artifact(&self, kind: &str, layer: &str) -> Value {
        let config = match kind {
            "" => self.document(
                "config",
                &json!({"architecture": "", "os": "", "rootfs": {"diff_ids": ["x"]}}),
            ),
            kind => self.put(kind, b"{}"),
        };
        let layer = self.put(layer, b"{}");
        let manifest = json!({"schemaVersion": 2, "config": config, "layers": [layer]});
        self.document("manifest", &manifest)
    }

    /// Which image of these is meant.
    pub fn which(&self, manifests: &[Value], platform: Platform) -> Result<String, String> {
        self.write_index(manifests);
        self.named(None, platform)
    }

    pub fn named(&self, name: Option<&str>, platform: Platform) -> Result<String, String> {
        let image = self.look(name, platform, Limits::default())?;
        Ok(image.config.env[0].trim_start_matches("WHICH=").to_owned())
    }
}

pub fn with(mut descriptor: Value, field: &str, value: Value) -> Value {
    descriptor[field] = value;
    descriptor
}

pub fn on(descriptor: Value, architecture: &str, variant: &str) -> Value {
    let mut platform = json!({"architecture": architecture, "os": "linux"});
    if !variant.is_empty() {
        platform["variant"] = json!(variant);
    }
    with(descriptor, "platform", platform)
}

pub fn called(descriptor: Value, name: &str) -> Value {
    with(descriptor, "annotations", json!({"org.opencontainers.image.ref.name": name}))
}

#[test]
fn the_variant_that_fits_best_is_taken() {
    let layout = Layout::new();
    let plain = |which: &str| layout.variant(which, json!({}));
    let arm = |which: &str| layout.variant(which, json!({"architecture": "arm64"}));
    let entries = [
        on(plain("v2"), "amd64", "v2"),
        on(plain("v1"), "amd64", ""),
        on(plain("v4"), "amd64", "v4"),
        on(plain("v3"), "amd64", "v3"),
        on(arm("arm v9"), "arm64", "v9"),
        on(arm("arm v8"), "arm64", "v8"),
        on(plain("arm"), "arm", "v7"),
    ];
    let best = (1..=4)
        .filter(|level| {
            fit(Platform::Amd64, "linux", "amd64", Some(&format!("v{level}"))).is_some()
        })
        .max()
        .unwrap();
    for manifests in [&entries[..], &[layout.index(&entries)]] {
        assert_eq!(layout.which(manifests, Platform::Amd64), Ok(format!("v{best}")));
        assert_eq!(layout.which(manifests, Platform::Arm64), Ok("arm v8".to_owned()));
    }
    // Without a variant it is v8, and names of architectures are several.
    for entry in [on(arm("arm"), "arm64", ""), on(arm("arm"), "aarch64", "8")] {
        assert_eq!(layout.which(&[entry], Platform::Arm64), Ok("arm".to_owned()));
    }
    let error = layout.which(&[layout.index(&entries[4..5])], Platform::Arm64).unwrap_err();
    assert!(error.contains("is for linux/arm64/v9, this VM runs linux/arm64"), "{error}");
}

#[test]
fn where_an_entry_says_no_platform_the_image_does() {
    let layout = Layout::new();
    let arm = layout.variant("arm", json!({"architecture": "arm64"}));
    let far = layout.variant("v4", json!({"variant": "v9"}));
    let amd = layout.variant("amd", json!({}));
    let untold = layout.variant("untold", json!({"architecture": null, "os": ""}));
    let entries = [arm.clone(), far, amd.clone()];
    for manifests in [&entries[..], &[layout.index(&entries)]] {
        assert_eq!(layout.which(manifests, Platform::Amd64), Ok("amd".to_owned()));
        assert_eq!(layout.which(manifests, Platform::Arm64), Ok("arm".to_owned()));
    }
    assert_eq!(layout.which(&[layout.index(&[untold])], Platform::NATIVE), Ok("untold".to_owned()));
    // An entry with half a platform says none.
    let half = with(amd, "platform", json!({"os": "linux"}));
    assert_eq!(layout.which(&[arm.clone(), half], Platform::Amd64), Ok("amd".to_owned()));
    let error = layout.which(&[layout.index(&[arm])], Platform::Amd64).unwrap_err();
    assert!(error.contains("is for linux/arm64, this VM runs linux/amd64"), "{error}");
}

#[test]
fn artifacts_are_never_in_the_way() {
    let layout = Layout::new();
    let image = layout.variant("image", json!({}));
    let in_toto = layout.artifact("", "application/vnd.in-toto+json");
    let reference = json!({"vnd.docker.reference.type": "attestation-manifest"});
    let sbom = layout.artifact("application/vnd.oci.empty.v1+json", "application/spdx+json");
    let artifacts = [
        on(in_toto.clone(), "unknown", ""),
        with(
            with(in_toto.clone(), "platform", json!({"architecture": "unknown", "os": "unknown"})),
            "annotations",
            reference.clone(),
        ),
        with(in_toto.clone(), "annotations", reference),
        in_toto,
        layout.artifact("", "application/vnd.dev.cosign.simplesigning.v1+json"),
        on(sbom.clone(), "amd64", ""),
        with(on(sbom.clone(), "amd64", ""), "artifactType", json!("application/spdx+json")),
        with(sbom.clone(), "artifactType", json!("application/spdx+json")),
        sbom,
        layout.put("application/vnd.oci.artifact.manifest.v1+json", b"{}"),
        layout.put("text/plain", b"notes"),
    ];
    for artifact in &artifacts {
        for image in [image.clone(), on(image.clone(), "amd64", "")] {
            let entries = [artifact.clone(), image];
            for manifests in [&entries[..], &[layout.index(&entries)]] {
                assert_eq!(
                    layout.which(manifests, Platform::Amd64),
                    Ok("image".to_owned()),
                    "{artifact}"
                );
            }
        }
    }
    assert_eq!(
        layout.which(&[&artifacts[..], &[image]].concat(), Platform::Amd64),
        Ok("image".to_owned())
    );
    let error = layout.which(&artifacts, Platform::Amd64).unwrap_err();
    assert!(error.contains("'index.json': it holds no image"), "{error}");
}

#[test]
fn of_images_that_fit_as_well_the_first_is_taken() {
    let layout = Layout::new();
    let images = ["first", "second"].map(|which| layout.variant(which, json!({})));
    let told = images.clone().map(|image| on(image, "amd64", ""));
    for entries in [images.clone(), told] {
        for manifests in [
            &entries[..],
            &[layout.index(&entries)],
            &entries.clone().map(|entry| called(entry, "a:1")),
        ] {
            assert_eq!(layout.which(manifests, Platform::Amd64), Ok("first".to_owned()));
        }
    }
    // What is not there may be one that the archive was not asked for.
    let gone = on(layout.variant("gone", json!({})), "amd64", "");
    fs::remove_file(
        layout.path().join("blobs/sha256").join(&gone["digest"].as_str().unwrap()[7..]),
    )
    .unwrap();
    assert_eq!(
        layout.which(&[gone.clone(), images[0].clone()], Platform::Amd64),
        Ok("first".to_owned())
    );
    let error = layout.which(&[gone], Platform::Amd64).unwrap_err();
    assert!(error.contains("is missing"), "{error}");
}

#[test]
fn a_layout_needs_no_file_that_says_so() {
    let layout = Layout::new();
    let image = layout.variant("image", json!({}));
    fs::remove_file(layout.path().join("oci-layout")).unwrap();
    assert_eq!(layout.which(std::slice::from_ref(&image), Platform::Amd64), Ok("image".to_owned()));
    // A root file system may have a file of that name.
    fs::remove_dir_all(layout.path().join("blobs")).unwrap();
    let folder = layout.look(None, Platform::Amd64, Limits::default()).unwrap();
    assert!(matches!(folder.layers[0].data, LayerData::Directory(_)));
}

#[test]
fn every_name_that_is_listed_is_taken() {
    let layout = Layout::new();
    let image = |which: &str| layout.variant(which, json!({}));
    let nameless = image("nameless");
    let short = nameless["digest"].as_str().unwrap()[7..19].to_owned();
    let attestation = with(
        layout.artifact("", "application/vnd.in-toto+json"),
        "annotations",
        json!({"vnd.docker.reference.type": "attestation-manifest", "org.opencontainers.image.ref.name": "att"}),
    );
    let entries = [
        called(image("a"), "localhost/a:1"),
        called(layout.index(&[image("b")]), "b"),
        called(layout.variant("arm", json!({"architecture": "arm64"})), "arm"),
        attestation,
        nameless.clone(),
    ];
    let error = layout.which(&entries, Platform::Amd64).unwrap_err();
    assert!(error.ends_with("#NAME; it holds b, localhost/a:1"), "{error}");
    let error = layout.named(Some("nothing"), Platform::Amd64).unwrap_err();
    let mut held = [&short, "arm", "b", "localhost/a:1"];
    held.sort();
    assert!(error.ends_with(&format!("it holds {}", held.join(", "))), "{error}");
    let taken = |name: &str| layout.named(Some(name), Platform::Amd64);
    for name in ["localhost/a:1", "a:1", "1"] {
        assert_eq!(taken(name), Ok("a".to_owned()), "{name}");
    }
    assert_eq!(taken("b"), Ok("b".to_owned()));
    for name in [&short[..], &format!("sha256:{short}"), nameless["digest"].as_str().unwrap()] {
        assert_eq!(taken(name), Ok("nameless".to_owned()), "{name}");
    }
    assert!(taken(&short[..11]).is_err());
    assert!(taken("arm").unwrap_err().contains("is for linux/arm64"));
    // The one that has a name is meant, where another has none.
    assert_eq!(layout.which(&[nameless, entries[0].clone()], Platform::Amd64), Ok("a".to_owned()));
}
