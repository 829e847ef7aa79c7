//! `images` and `inspect`: what there is to say about images.

use serde_json::{Value, json};

use super::{InspectArguments, ListArguments};
use crate::command::containers;
use crate::command::error::CommandError;
use crate::command::output::{table, visible_json};
use crate::command::size::show_size;
use crate::container::{ContainerError, Containers};
use crate::store::{ImageStore, Name, StoredImage, Version};
use crate::time::{ago, now, parse};

/// What docker writes where there is no name.
const NONE: &str = "<none>";

/// The text of `images`: the newest first, one line for each name.
pub fn list(store: &ImageStore, arguments: &ListArguments) -> Result<String, CommandError> {
    let wanted = arguments.name.as_deref().map(Name::parse).transpose()?;
    let with_tag = arguments.name.as_deref().is_some_and(|text| {
        text.contains('@') || text.rsplit('/').next().is_some_and(|last| last.contains(':'))
    });
    let fits = |name: Option<&Name>| match (&wanted, name) {
        (None, _) => true,
        (Some(wanted), Some(name)) if with_tag => wanted == name,
        (Some(wanted), Some(name)) => wanted.repository() == name.repository(),
        (Some(_), None) => false,
    };
    let mut images = store.list()?;
    images.sort_by_key(|image| std::cmp::Reverse(created(image)));
    let mut rows = Vec::new();
    for image in &images {
        let names: Vec<Option<&Name>> = match image.names.is_empty() {
            true => vec![None],
            false => image.names.iter().map(Some).collect(),
        };
        let names = names.into_iter().filter(|name| fits(*name));
        rows.extend(names.map(|name| row(image, name, arguments.no_trunc)));
    }
    if let Some(template) = &arguments.format {
        return rows.iter().map(|row| template.line(row)).collect();
    }
    let mut columns = vec!["Repository", "Tag", "Digest", "ID", "CreatedSince", "Size"];
    columns.retain(|column| arguments.digests || *column != "Digest");
    if arguments.quiet {
        columns = vec!["ID"];
    }
    let cells = |row: &Value| -> Vec<String> {
        let text = |column: &&str| row[*column].as_str().unwrap_or_default().to_owned();
        columns.iter().map(text).collect()
    };
    let mut lines: Vec<Vec<String>> = rows.iter().map(cells).collect();
    if !arguments.quiet {
        lines.insert(0, columns.iter().map(|column| heading(column)).collect());
    }
    Ok(table(&lines))
}

fn heading(column: &str) -> String {
    match column {
        "ID" => "IMAGE ID".to_owned(),
        "CreatedSince" => "CREATED".to_owned(),
        column => column.to_uppercase(),
    }
}

fn created(image: &StoredImage) -> Option<i64> {
    parse(image.configuration.created().as_deref()?)
}

/// An image under one of its names, with docker's words for the fields.
fn row(image: &StoredImage, name: Option<&Name>, whole: bool) -> Value {
    let id = if whole { image.id.to_string() } else { image.id.hex()[..12].to_owned() };
    json!({
        "Repository": name.map_or(NONE, Name::short_repository),
        "Tag": name.and_then(Name::tag).unwrap_or(NONE),
        "Digest": image.digest.to_string(),
        "ID": id,
        "CreatedAt": image.configuration.created().as_deref().unwrap_or("N/A"),
        "CreatedSince": ago(created(image), now()),
        "Size": show_size(image.size),
    })
}

/// The text of `inspect`.
pub fn inspect(store: &ImageStore, arguments: &InspectArguments) -> Result<String, CommandError> {
    let containers = Containers::open_default()?;
    let mut items = Vec::new();
    for text in &arguments.names {
        items.push(match containers.find(text) {
            Err(ContainerError::NotFound(_)) => facts(&store.resolve(text)?),
            container => containers::facts(&container?)?,
        });
    }
    match &arguments.format {
        Some(template) => items.iter().map(|item| template.line(item)).collect(),
        None => Ok(visible_json(&format!("{:#}\n", Value::Array(items)))),
    }
}

fn facts(image: &StoredImage) -> Value {
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
        "Created": configuration.created(),
        "Architecture": configuration.architecture().to_string(),
        "Os": configuration.os().to_string(),
        "Size": image.size,
        "Config": configuration.config(),
        "RootFS": {"Type": "layers", "Layers": configuration.rootfs().diff_ids()},
    })
}
