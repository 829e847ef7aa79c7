//! `images`: the images of the store.

mod filter;

use clap::Args;
use serde_json::{Value, json};

use crate::error::CommandError;
use crate::output::{print, table};
use crate::size::show_size;
use crate::template::Template;
use filter::{Filter, Filters};
use host::time::{ago, now, parse, show_in_list};
use images::store::{ImageStore, Name, StoredImage};

/// What docker writes where there is no name.
const NONE: &str = "<none>";

/// And what nobody knows or counts.
const UNKNOWN: &str = "N/A";

/// List images
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  bulkhead images --format '{{.Repository}}:{{.Tag}} {{.ID}}'")]
pub struct ImagesArguments {
    /// Only images of this repository, or of this name and tag; `*` stands for anything but a slash
    #[arg(value_name = "NAME[:TAG]")]
    pub name: Option<String>,
    /// Show all images: it always does
    #[arg(long, short)]
    pub all: bool,
    /// Print IDs alone
    #[arg(long, short)]
    pub quiet: bool,
    /// Print whole IDs
    #[arg(long)]
    pub no_trunc: bool,
    /// Show the digests of manifests
    #[arg(long)]
    pub digests: bool,
    /// Only those with dangling=BOOL, reference=NAME[:TAG], before=IMAGE, since=IMAGE, label=NAME or label=NAME=VALUE
    ///
    /// All labels must fit, and one name of several. `*` in a name stands for anything but a slash.
    #[arg(long, short, value_name = "FILTER", value_parser = Filter::parse)]
    pub filter: Vec<Filter>,
    /// Print each image so: json, or text with fields like {{.ID}}
    #[arg(long, value_name = "FORMAT", value_parser = Template::parse)]
    pub format: Option<Template>,
}

/// Prints the list.
pub fn execute(arguments: &ImagesArguments) -> Result<u8, CommandError> {
    print(&list(&ImageStore::open_default()?, arguments)?)?;
    Ok(0)
}

/// The text of the list: the newest first, one line for each name.
fn list(store: &ImageStore, arguments: &ImagesArguments) -> Result<String, CommandError> {
    let pattern = arguments.name.as_deref().filter(|text| text.contains(['*', '?']));
    let wanted = arguments.name.as_deref().filter(|_| pattern.is_none());
    let wanted = wanted.map(Name::parse).transpose()?;
    let with_tag = arguments.name.as_deref().is_some_and(|text| {
        text.contains('@') || text.rsplit('/').next().is_some_and(|last| last.contains(':'))
    });
    let fits = |name: Option<&Name>| match (&wanted, name) {
        (None, name) if let Some(pattern) = pattern => {
            name.is_some_and(|name| filter::is_name(pattern, name))
        }
        (None, _) => true,
        (Some(wanted), Some(name)) if with_tag => wanted == name,
        (Some(wanted), Some(name)) => wanted.repository() == name.repository(),
        (Some(_), None) => false,
    };
    let filters = Filters::look_up(&arguments.filter, store)?;
    let mut images = store.list()?;
    images.sort_by_key(|image| std::cmp::Reverse(created(image)));
    let mut rows = Vec::new();
    for image in &images {
        let names: Vec<Option<&Name>> = match image.names.is_empty() {
            true => vec![None],
            false => image.names.iter().map(Some).collect(),
        };
        let names = names.into_iter().filter(|name| fits(*name) && filters.fit(image, *name));
        rows.extend(names.map(|name| row(image, name, arguments.no_trunc)));
    }
    if let Some(template) = arguments.format.as_ref().filter(|template| !template.is_usual()) {
        return template.lines(&rows, &[("IMAGE ID", "ID"), ("CREATED", "CreatedSince")]);
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

/// When it was made, in seconds since 1970.
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
        "CreatedAt": created(image).map_or_else(|| UNKNOWN.to_owned(), show_in_list),
        "CreatedSince": ago(created(image), now()),
        "Size": show_size(image.size),
        "VirtualSize": show_size(image.size),
        // Docker does not count these in a list either.
        "Containers": UNKNOWN,
        "SharedSize": UNKNOWN,
        "UniqueSize": UNKNOWN,
    })
}
