//! The documents of an image, as Go's reader takes them: a field that is missing or null is empty.

use oci_spec::image::{ImageIndex, ImageManifest, OciLayout};
use serde_json::{Error, Value, json};

use super::docker::Item;
use super::json::{Document, Shape, typed, value};

/// OCI image specification, "OCI Content Descriptors".
const DESCRIPTOR: Shape = Shape::Fields(&[
    ("mediaType", Shape::Any),
    ("digest", Shape::Any),
    ("size", Shape::Any),
    ("urls", Shape::Any),
    ("annotations", Shape::Any),
    ("data", Shape::Any),
    ("artifactType", Shape::Any),
    ("platform", PLATFORM),
]);

/// "OCI Image Index Specification", `platform`.
const PLATFORM: Shape = Shape::Fields(&[
    ("architecture", Shape::Any),
    ("os", Shape::Any),
    ("os.features", Shape::Any),
    ("variant", Shape::Any),
]);

impl Document for OciLayout {
    fn read(text: &[u8]) -> Result<Self, Error> {
        static LAYOUT: Shape = Shape::Fields(&[("imageLayoutVersion", Shape::Any)]);
        typed(value(text, &LAYOUT)?)
    }
}

impl Document for ImageIndex {
    fn read(text: &[u8]) -> Result<Self, Error> {
        static INDEX: Shape = Shape::Fields(&[
            ("schemaVersion", Shape::Any),
            ("mediaType", Shape::Any),
            ("artifactType", Shape::Any),
            ("manifests", Shape::List(&DESCRIPTOR)),
            ("annotations", Shape::Any),
        ]);
        let mut index = value(text, &INDEX)?;
        complete(&mut index, "manifests");
        typed(index)
    }
}

impl Document for ImageManifest {
    fn read(text: &[u8]) -> Result<Self, Error> {
        static MANIFEST: Shape = Shape::Fields(&[
            ("schemaVersion", Shape::Any),
            ("mediaType", Shape::Any),
            ("artifactType", Shape::Any),
            ("config", DESCRIPTOR),
            ("layers", Shape::List(&DESCRIPTOR)),
            ("annotations", Shape::Any),
        ]);
        let mut manifest = value(text, &MANIFEST)?;
        complete(&mut manifest, "layers");
        if let Some(config) = manifest.get_mut("config") {
            complete_descriptor(config);
        }
        typed(manifest)
    }
}

static ITEMS: Shape = Shape::List(&ITEM);
const ITEM: Shape =
    Shape::Fields(&[("Config", Shape::Any), ("RepoTags", Shape::Any), ("Layers", Shape::Any)]);

/// The images of a docker archive.
impl Document for Vec<Item> {
    fn read(text: &[u8]) -> Result<Self, Error> {
        typed(value(text, &ITEMS)?)
    }
}

/// Whether a list is one of a docker archive's images, be they as they should be or not.
pub struct IsDocker(pub bool);

impl Document for IsDocker {
    fn read(text: &[u8]) -> Result<Self, Error> {
        Ok(Self(value(text, &ITEMS)?.get(0).is_some_and(|item| item.get("Config").is_some())))
    }
}

/// What tells a manifest from an index. Whoever has both fields would be one thing for us and the other for another tool
/// (CVE-2021-41190).
pub struct Kind {
    pub media_type: Option<String>,
    /// null is nothing.
    pub manifests: bool,
    layers: bool,
}

impl Kind {
    /// Whether it is an index, and nothing else.
    pub fn is_index(&self) -> bool {
        self.manifests && !self.layers
    }
}

impl Document for Kind {
    fn read(text: &[u8]) -> Result<Self, Error> {
        static KIND: Shape = Shape::Fields(&[
            ("mediaType", Shape::Any),
            ("manifests", Shape::List(&Shape::Fields(&[]))),
            ("layers", Shape::List(&Shape::Fields(&[]))),
        ]);
        let fields = value(text, &KIND)?;
        let media_type = fields.get("mediaType").and_then(Value::as_str).map(str::to_owned);
        let has = |name: &str| fields.get(name).is_some();
        Ok(Self { media_type, manifests: has("manifests"), layers: has("layers") })
    }
}

/// A manifest or an index, in which `list` is the list of descriptors.
fn complete(document: &mut Value, list: &str) {
    let Some(fields) = document.as_object_mut() else { return };
    // Of those who write no version, all mean this one.
    fields.entry("schemaVersion").or_insert(json!(2));
    let descriptors = fields.entry(list).or_insert(json!([]));
    descriptors.as_array_mut().into_iter().flatten().for_each(complete_descriptor);
    drop_odd(document);
}

fn complete_descriptor(descriptor: &mut Value) {
    let Some(fields) = descriptor.as_object_mut() else { return };
    fields.entry("mediaType").or_insert(json!(""));
    let text = |value: Option<&Value>| {
        value.is_some_and(|value| value.as_str().is_some_and(|text| !text.is_empty()))
    };
    if let Some(platform) = fields.get_mut("platform").and_then(Value::as_object_mut) {
        if !text(platform.get("os")) {
            platform.insert("os".to_owned(), json!("linux"));
        }
        // oci-spec has a name of its own for it.
        let features = platform.remove("os.features").filter(is_list_of_text);
        platform.retain(|_, value| value.is_string());
        platform.extend(features.map(|features| ("os_features".to_owned(), features)));
    }
    // Then the image itself says what it is for.
    if fields.get("platform").is_some_and(|platform| !text(platform.get("architecture"))) {
        fields.remove("platform");
    }
    drop_odd(descriptor);
}

/// Fields that are for people, or not for us, are left out where they are something else than they should be.
fn drop_odd(document: &mut Value) {
    let Some(fields) = document.as_object_mut() else { return };
    if let Some(annotations) = fields.get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.retain(|_, value| value.is_string());
    }
    fields.retain(|name, value| match name.as_str() {
        "annotations" => value.is_object(),
        "artifactType" | "data" => value.is_string(),
        "urls" => is_list_of_text(value),
        _ => true,
    });
}

fn is_list_of_text(value: &Value) -> bool {
    value.as_array().is_some_and(|list| list.iter().all(Value::is_string))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:c2b8beca588702777e5f35dafdbeae9ec16c2bab802331f81cacd2a92f1d5356";

    fn manifest(text: &str) -> Result<ImageManifest, String> {
        ImageManifest::read(text.replace("DIGEST", DIGEST).as_bytes()).map_err(|e| e.to_string())
    }

    #[test]
    fn fields_are_missing_null_twice_or_in_another_case() {
        let config = r#"{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"DIGEST","size":7}"#;
        let plain =
            manifest(&format!(r#"{{"schemaVersion":2,"config":{config},"layers":[]}}"#)).unwrap();
        for text in [
            r#"{"config":CONFIG}"#,
            r#"{"config":CONFIG,"layers":null,"annotations":null,"mediaType":null,"schemaVersion":null}"#,
            r#"{"SCHEMAVERSION":2,"Config":CONFIG,"layers":[{}],"Layers":[]}"#,
            r#"{"config":7,"config":CONFIG,"config":null,"layers":[],"unknown":[1e999,{"a":null}]}"#,
            r#"{"config":CONFIG,"artifactType":7,"annotations":[]}"#,
        ] {
            assert_eq!(manifest(&text.replace("CONFIG", config)).as_ref(), Ok(&plain), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let config = r#""config":{"digest":"DIGEST","size":7}"#;
        for (text, message) in [
            ("{}".to_owned(), "missing field `config`"),
            (
                format!(r#"{{{config},"layers":[{{"size":1}}]}}"#),
                "layers[0]: missing field `digest`",
            ),
            (format!(r#"{{{config},"layers":7}}"#), "layers: invalid type: integer `7`"),
            (
                format!(r#"{{{config},"layers":[{{"digest":"DIGEST","size":"1"}}]}}"#),
                "layers[0].size: ",
            ),
            (format!(r#"{{{config}}}{{"#), "trailing characters"),
            ("\u{feff}{}".to_owned(), "expected value"),
        ] {
            let error = manifest(&text).unwrap_err();
            assert!(error.contains(message), "{error}");
        }
    }

    #[test]
    fn a_platform_without_an_architecture_is_none() {
        let index = |platform: &str| {
            let text = format!(
                r#"{{"manifests":[{{"digest":"{DIGEST}","size":7,"platform":{platform}}}]}}"#
            );
            ImageIndex::read(text.as_bytes()).unwrap().manifests()[0].platform().clone()
        };
        for none in
            ["null", "{}", r#"{"os":"linux"}"#, r#"{"architecture":"","os":"linux"}"#, "[]", "7"]
        {
            assert_eq!(index(none), None, "{none}");
        }
        let platform =
            index(r#"{"Architecture":"arm64","os":null,"variant":8,"os.version":7}"#).unwrap();
        assert_eq!(
            (platform.os().to_string(), platform.architecture().to_string()),
            ("linux".to_owned(), "arm64".to_owned())
        );
        assert_eq!(*platform.variant(), None);
    }

    #[test]
    fn a_docker_archives_list_is_told_from_others() {
        let is_docker = |text: &str| IsDocker::read(text.as_bytes()).is_ok_and(|is| is.0);
        for text in [r#"[{"Config":"a"}]"#, r#"[{"config":7,"Layers":"x"}]"#] {
            assert!(is_docker(text), "{text}");
        }
        for text in ["[]", "{}", "[{}]", r#"{"Config":"a"}"#, r#"["Config"]"#, "text"] {
            assert!(!is_docker(text), "{text}");
        }
    }

    #[test]
    fn items_of_a_docker_archive_are_read_the_same_way() {
        let items = Vec::<Item>::read(
            br#"[{"config":"a","REPOTAGS":null,"Layers":null,"Parent":7},{"Config":"b"}]"#,
        )
        .unwrap();
        assert_eq!(items.iter().map(|item| item.config.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert!(items.iter().all(|item| item.tags().is_empty() && item.layers.is_none()));
    }
}
