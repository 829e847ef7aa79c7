//! An image's configuration, as docker takes it (moby `api/types/container.Config`, `StrSlice`). What means nothing
//! here is left out where it is odd; what says how to run the image is an error then, which names the field.

use std::collections::HashMap;

use oci_spec::image::{
    Config, ConfigBuilder, ImageConfiguration, ImageConfigurationBuilder, RootFsBuilder,
};
use serde_json::{Error, Map, Value};

use super::json::{Document, Shape, kind, typed, value, wrong};
use host::platform::Platform;

/// OCI image specification, "OCI Image Configuration", "Properties".
static CONFIGURATION: Shape = Shape::Fields(&[
    ("created", Shape::Any),
    ("author", Shape::Any),
    ("architecture", Shape::Any),
    ("os", Shape::Any),
    ("variant", Shape::Any),
    ("os.version", Shape::Any),
    ("os.features", Shape::Any),
    ("config", CONFIG),
    ("rootfs", Shape::Fields(&[("type", Shape::Any), ("diff_ids", Shape::Any)])),
    ("history", Shape::Any),
]);

const CONFIG: Shape = Shape::Fields(&[
    ("User", Shape::Any),
    ("ExposedPorts", Shape::Any),
    ("Env", Shape::Any),
    ("Entrypoint", Shape::Any),
    ("Cmd", Shape::Any),
    ("Volumes", Shape::Any),
    ("WorkingDir", Shape::Any),
    ("Labels", Shape::Any),
    ("StopSignal", Shape::Any),
]);

impl Document for ImageConfiguration {
    fn read(text: &[u8]) -> Result<Self, Error> {
        let mut fields = Fields::of("", value(text, &CONFIGURATION)?)?;
        let mut rootfs = match fields.take("rootfs") {
            Some(rootfs) => Fields::of("rootfs.", rootfs)?,
            None => return Err(wrong("missing field `rootfs`")),
        };
        let kind = rootfs.odd("type", text_of).unwrap_or_else(|| "layers".to_owned());
        let diff_ids = rootfs.list("diff_ids", false)?.unwrap_or_default();
        let rootfs = RootFsBuilder::default().typ(kind).diff_ids(diff_ids).build();
        // What does not say what it is for is for the machine that it is on (moby `image.Image.OperatingSystem`).
        let native = Platform::NATIVE.to_string();
        let (native_os, native_architecture) = native.split_once('/').unwrap_or_default();
        let said = |text: Option<String>| text.filter(|text| !text.is_empty());
        let os = said(fields.text("os")?).unwrap_or_else(|| native_os.to_owned());
        let architecture =
            said(fields.text("architecture")?).unwrap_or_else(|| native_architecture.to_owned());
        let mut configuration = ImageConfigurationBuilder::default()
            .os(os.as_str())
            .architecture(architecture.as_str())
            .rootfs(rootfs.map_err(wrong)?)
            .build()
            .map_err(wrong)?;
        if let Some(config) = fields.take("config") {
            configuration.set_config(Some(config_of(Fields::of("config.", config)?)?));
        }
        configuration.set_variant(fields.odd("variant", text_of));
        configuration.set_os_version(fields.odd("os.version", text_of));
        configuration.set_os_features(fields.odd("os.features", |value| typed(value).ok()));
        configuration.set_created(fields.odd("created", text_of));
        configuration.set_author(fields.odd("author", text_of));
        configuration.set_history(fields.odd("history", |value| typed(value).ok()));
        Ok(configuration)
    }
}

fn config_of(mut fields: Fields) -> Result<Config, Error> {
    let mut config = ConfigBuilder::default().build().map_err(wrong)?;
    config.set_user(fields.text("User")?);
    config.set_working_dir(fields.text("WorkingDir")?);
    config.set_stop_signal(fields.text("StopSignal")?);
    config.set_env(fields.list("Env", false)?);
    config.set_entrypoint(fields.list("Entrypoint", true)?);
    config.set_cmd(fields.list("Cmd", true)?);
    config.set_exposed_ports(fields.odd("ExposedPorts", keys));
    config.set_volumes(fields.odd("Volumes", keys));
    config.set_labels(fields.odd("Labels", labels));
    Ok(config)
}

/// The fields of an object.
struct Fields {
    /// How a message begins the name of one.
    prefix: &'static str,
    values: Map<String, Value>,
}

impl Fields {
    fn of(prefix: &'static str, value: Value) -> Result<Self, Error> {
        match value {
            Value::Object(values) => Ok(Self { prefix, values }),
            other => {
                let name =
                    if prefix.is_empty() { "the document" } else { prefix.trim_end_matches('.') };
                Err(wrong(format!("{name}: it is {}, not an object", kind(&other))))
            }
        }
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        self.values.remove(name)
    }

    /// A field that counts.
    fn text(&mut self, name: &str) -> Result<Option<String>, Error> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.wrong(name, &other, "text")),
        }
    }

    /// A list of text that counts, for which one text may stand. null in it is empty.
    fn list(&mut self, name: &str, or_text: bool) -> Result<Option<Vec<String>>, Error> {
        let list = match self.take(name) {
            None => return Ok(None),
            Some(Value::String(text)) if or_text => return Ok(Some(vec![text])),
            Some(Value::Array(list)) => list,
            Some(other) => return Err(self.wrong(name, &other, "a list")),
        };
        let text = |(index, value): (usize, Value)| match value {
            Value::Null => Ok(String::new()),
            Value::String(text) => Ok(text),
            other => Err(self.wrong(&format!("{name}[{index}]"), &other, "text")),
        };
        list.into_iter().enumerate().map(text).collect::<Result<_, _>>().map(Some)
    }

    /// A field that counts for nobody who runs the image: left out where it is not what it should be.
    fn odd<T>(&mut self, name: &str, read: impl FnOnce(Value) -> Option<T>) -> Option<T> {
        let value = self.take(name)?;
        let kind = kind(&value);
        let read = read(value);
        if read.is_none() {
            log::info!(
                "an image's configuration: {}{name} makes no sense, {kind} as it is",
                self.prefix
            );
        }
        read
    }

    fn wrong(&self, name: &str, value: &Value, wanted: &str) -> Error {
        wrong(format!("{}{name}: it is {}, not {wanted}", self.prefix, kind(value)))
    }
}

fn text_of(value: Value) -> Option<String> {
    if let Value::String(text) = value { Some(text) } else { None }
}

/// Go's sets are objects of which the fields' names count.
fn keys(value: Value) -> Option<Vec<String>> {
    if let Value::Object(set) = value {
        Some(set.into_iter().map(|(key, _)| key).collect())
    } else {
        None
    }
}

/// Labels that are text.
fn labels(value: Value) -> Option<HashMap<String, String>> {
    let Value::Object(labels) = value else { return None };
    Some(labels.into_iter().filter_map(|(name, value)| Some((name, text_of(value)?))).collect())
}

#[cfg(test)]
mod tests;
