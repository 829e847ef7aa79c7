//! Which image is meant where the others are odd.

use super::choice::{called, on, with};
use super::*;

#[test]
fn all_of_a_name_is_not_short_for_another() {
    let layout = Layout::new();
    let entries = [
        called(layout.variant("full", json!({})), "host/a:1"),
        called(layout.variant("short", json!({})), "a:1"),
        called(layout.variant("tag", json!({})), "1"),
    ];
    layout.write_index(&entries);
    for (name, which) in [("host/a:1", "full"), ("a:1", "short"), ("1", "tag")] {
        assert_eq!(layout.named(Some(name), Platform::Amd64), Ok(which.to_owned()), "{name}");
    }
}

#[test]
fn what_cannot_be_read_is_only_told_where_nothing_else_is() {
    let layout = Layout::new();
    let image = layout.variant("image", json!({}));
    let config = json!({"architecture": "amd64", "os": "linux", "rootfs": {"diff_ids": [Digest::of(b"").to_string()]}});
    let config = layout.document("config", &config);
    let layer = layout.put("text/spdx", b"");
    let sbom = json!({"schemaVersion": 2, "config": config, "layers": [layer]});
    let sbom = layout.document("manifest", &sbom);
    let gone = layout.index(&[]);
    fs::remove_file(
        layout.path().join("blobs/sha256").join(&gone["digest"].as_str().unwrap()[7..]),
    )
    .unwrap();
    let sha512 = format!("sha512:{}", "0".repeat(128));
    let index = "application/vnd.oci.image.index.v1+json";
    let cases = [
        (sbom.clone(), "a layer has the media type 'text/spdx', which is not supported"),
        (on(sbom, "amd64", ""), "a layer has the media type 'text/spdx', which is not supported"),
        (gone, "is missing"),
        (with(image.clone(), "digest", json!(sha512)), "'index.json': the digest sha512:"),
        (
            json!({"mediaType": index, "digest": sha512, "size": 1}),
            "'index.json': the digest sha512:",
        ),
    ];
    for (entry, message) in cases {
        let entries = [entry.clone(), image.clone()];
        for manifests in [&entries[..], &[layout.index(&entries)]] {
            assert_eq!(layout.which(manifests, Platform::Amd64), Ok("image".to_owned()), "{entry}");
        }
        let error = layout.which(&[entry], Platform::Amd64).unwrap_err();
        assert!(error.contains(message), "{error}");
    }
    // The file that says it is named.
    let layer =
        json!({"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": sha512, "size": 1});
    let manifest = json!({"schemaVersion": 2, "config": config, "layers": [layer]});
    let manifest = layout.document("manifest", &manifest);
    let file = format!("'blobs/sha256/{}': the digest", &manifest["digest"].as_str().unwrap()[7..]);
    let error = layout.which(&[manifest], Platform::Amd64).unwrap_err();
    assert!(error.contains(&file), "{error}");
}

#[test]
fn an_entry_without_a_type_is_what_it_is() {
    let layout = Layout::new();
    let index = layout.index(&[layout.variant("image", json!({}))]);
    for kind in [json!(""), json!(null)] {
        let manifest = with(layout.variant("image", json!({})), "mediaType", kind.clone());
        for entry in [manifest, with(index.clone(), "mediaType", kind)] {
            assert_eq!(layout.which(&[entry], Platform::Amd64), Ok("image".to_owned()));
        }
    }
}

#[test]
fn an_image_that_asks_for_features_of_a_system_is_the_last_choice() {
    let layout = Layout::new();
    let asking = on(layout.variant("asking", json!({})), "amd64", "");
    let asking = |features: Value| {
        let mut asking = asking.clone();
        asking["platform"]["os.features"] = features;
        asking
    };
    let plain = on(layout.variant("plain", json!({})), "amd64", "");
    let first = |entries: &[Value]| layout.which(entries, Platform::Amd64).unwrap();
    assert_eq!(first(&[asking(json!(["sev"])), plain.clone()]), "plain");
    for features in [json!([]), json!(null), json!("sev"), json!([7])] {
        assert_eq!(first(&[asking(features), plain.clone()]), "asking");
    }
    assert_eq!(first(&[asking(json!(["sev"]))]), "asking");
}
