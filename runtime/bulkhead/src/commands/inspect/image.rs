//! What `inspect` says of an image.

use serde_json::{Value, json};

use images::store::{Name, StoredImage, Version};

/// With docker's words where it has them.
pub fn facts(image: &StoredImage) -> Value {
    let names = |by_tag: bool| -> Vec<String> {
        let names = image.names.iter();
        names
            .filter(|name| matches!(name.version(), Version::Tag(_)) == by_tag)
            .map(Name::short)
            .collect()
    };
    let configuration = &image.configuration;
    json!({
        "Id": image.id.to_string(),
        "RepoTags": names(true),
        "RepoDigests": names(false),
        "Digest": image.digest.to_string(),
        "Parent": "",
        "Comment": "",
        "Author": configuration.author().as_deref().unwrap_or_default(),
        "Created": configuration.created().as_deref().unwrap_or_default(),
        "Architecture": configuration.architecture().to_string(),
        "Variant": configuration.variant().as_deref().unwrap_or_default(),
        "Os": configuration.os().to_string(),
        "Size": image.size,
        "Config": config(image),
        "RootFS": {"Type": "layers", "Layers": configuration.rootfs().diff_ids()},
    })
}

/// The configuration's part about containers. What the image does not say is empty, so that templates can name it.
fn config(image: &StoredImage) -> Value {
    let mut all = json!({
        "User": "", "ExposedPorts": {}, "Env": [], "Entrypoint": [], "Cmd": [], "Volumes": {}, "WorkingDir": "", "Labels": {},
        "StopSignal": "",
    });
    let said = serde_json::to_value(image.configuration.config()).unwrap_or_default();
    for (field, value) in said.as_object().into_iter().flatten() {
        all[field] = match value {
            // A set is written as docker's, an object of objects.
            Value::Array(names) if all[field].is_object() => names
                .iter()
                .filter_map(Value::as_str)
                .map(|name| (name.to_owned(), json!({})))
                .collect(),
            value => value.clone(),
        };
    }
    all
}
