//! `inspect`: everything about containers or images.

mod container;
mod image;

use clap::{Args, ValueEnum};
use serde_json::Value;

use crate::error::CommandError;
use crate::names::{FAILED, complain};
use crate::output::print;
use crate::template::Template;
use containers::container::{ContainerError, Containers};
use host::text::visible_json;
use images::store::ImageStore;

/// Show everything about containers or images, as JSON
#[derive(Debug, Args)]
#[command(
    after_help = "A container's name or ID goes before an image's.\n\nExamples:\n  bulkhead inspect web busybox\n  bulkhead inspect --format '{{.Config.Env}}' busybox"
)]
pub struct InspectArguments {
    /// Print each image so: json, or text with fields like {{.Id}}
    #[arg(long, short, value_name = "FORMAT", value_parser = Template::parse)]
    pub format: Option<Template>,
    /// Look for containers only, or for images only [default: first for a container, then for an image]
    #[arg(long = "type", value_enum, value_name = "TYPE")]
    pub kind: Option<Kind>,
    /// Names or IDs
    #[arg(value_name = "NAME", required = true)]
    pub names: Vec<String>,
}

/// What can be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    Container,
    Image,
}

/// Prints everything about each that there is, and complains about the others.
pub fn execute(arguments: &InspectArguments) -> Result<u8, CommandError> {
    let store = ImageStore::open_default()?;
    let containers = Containers::open_default()?;
    print_each(&arguments.names, arguments.format.as_ref(), |name| {
        facts(name, arguments.kind, &containers, &store)
    })
}

/// Prints what there is to tell of each name, and complains about those of which there is nothing; the exit status.
pub(super) fn print_each(
    names: &[String],
    format: Option<&Template>,
    facts: impl Fn(&str) -> Result<Value, CommandError>,
) -> Result<u8, CommandError> {
    let template = format.filter(|template| !template.is_usual());
    let (mut status, mut items, mut text) = (0, Vec::new(), String::new());
    for name in names {
        let told = facts(name).and_then(|facts| {
            match template {
                Some(template) => text += &template.line(&facts)?,
                None => items.push(facts),
            }
            Ok(())
        });
        if let Err(error) = told {
            complain(name, &error);
            status = FAILED;
        }
    }
    if template.is_none() {
        text = visible_json(&format!("{:#}\n", Value::Array(items)));
    }
    print(&text)?;
    Ok(status)
}

/// What is known of a container, or of an image.
fn facts(
    name: &str,
    kind: Option<Kind>,
    containers: &Containers,
    store: &ImageStore,
) -> Result<Value, CommandError> {
    match (kind, containers.find(name)) {
        (Some(Kind::Image), _) | (None, Err(ContainerError::NotFound(_))) => {
            Ok(image::facts(&store.resolve(name)?))
        }
        (_, container) => container::facts(&container?, store),
    }
}
