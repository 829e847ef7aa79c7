//! Images for several platforms.

use super::*;

/// Add an index of these images to the layout; its platforms' architectures are what is said.
fn add_index(place: &Place, name: &str, images: &[(&str, &str)]) {
    let folder = place.path("layout");
    let read = || -> Value {
        serde_json::from_slice(&fs::read(folder.join("index.json")).unwrap()).unwrap()
    };
    let mut index = read();
    let entries = index["manifests"].as_array().unwrap().clone();
    let called = |name: &str| {
        let mut found = entries
            .iter()
            .find(|entry| entry["annotations"]["org.opencontainers.image.ref.name"] == name)
            .unwrap()
            .clone();
        found.as_object_mut().unwrap().remove("annotations");
        found
    };
    let manifests: Vec<Value> = images
        .iter()
        .map(|(image, architecture)| {
            let mut entry = called(image);
            entry["platform"] = json!({"os": "linux", "architecture": architecture});
            entry
        })
        .collect();
    let media_type = "application/vnd.oci.image.index.v1+json";
    let nested =
        json!({"schemaVersion": 2, "mediaType": media_type, "manifests": manifests}).to_string();
    let digest = host::digest::Digest::of(nested.as_bytes());
    fs::write(folder.join("blobs/sha256").join(digest.hex()), &nested).unwrap();
    index["manifests"].as_array_mut().unwrap().push(json!({
        "mediaType": media_type, "digest": digest.to_string(), "size": nested.len(),
        "annotations": {"org.opencontainers.image.ref.name": name},
    }));
    fs::write(folder.join("index.json"), index.to_string()).unwrap();
}

#[test]
fn of_several_platforms_one_is_taken() {
    let Some((place, registry)) = start("of_several_platforms_one_is_taken", "") else { return };
    let layout_path = place.path("layout");
    for (tag, architecture) in [("x", "amd64"), ("a", "arm64"), ("z", "s390x")] {
        let image = format!("{}:first", text(&layout_path));
        tool("umoci", &["config", "--image", &image, "--tag", tag, "--architecture", architecture]);
    }
    add_index(&place, "both", &[("z", "s390x"), ("x", "amd64"), ("a", "arm64")]);
    add_index(&place, "other", &[("z", "s390x")]);
    // What the index says is not what the image is.
    add_index(&place, "lie", &[("z", "amd64"), ("z", "arm64")]);
    for name in ["both", "other", "lie"] {
        registry.push(&layout(&place, name), &format!("bb:{name}"), &["--all"]);
    }
    registry.push(&layout(&place, "z"), "bb:z", &[]);
    let name = registry.name("bb:both");
    for (platform, architecture) in [("linux/amd64", "amd64"), ("linux/arm64", "arm64")] {
        place.says(&[PULL[0], PULL[1], "--platform", platform, &name]);
        assert_eq!(place.says(&["inspect", "-f", "{{.Architecture}}", &name]).trim(), architecture);
    }
    // An index's digest names the image that was chosen from it.
    let pinned = registry.name(&format!("bb@{}", registry.digest("bb:both")));
    assert!(place.says(&[PULL[0], PULL[1], &pinned]).ends_with(&format!("\n{pinned}\n")));
    let own = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    assert_eq!(place.says(&["inspect", "-f", "{{.Architecture}}", &pinned]).trim(), own);
    let refused = |name: &str| {
        let name = registry.name(name);
        place.fails(
            &[PULL[0], PULL[1], &name],
            1,
            &format!("{name} is for linux/s390x, not for linux/{own}"),
        );
    };
    refused("bb:other");
    refused("bb:lie");
    refused("bb:z");
}
