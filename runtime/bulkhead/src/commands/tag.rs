//! `tag`: another name for an image.

use clap::Args;

use crate::error::CommandError;
use images::store::{ImageStore, Name};

/// Give an image another name
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  bulkhead tag busybox localhost/mine:1")]
pub struct TagArguments {
    /// Its name or ID
    #[arg(value_name = "IMAGE")]
    pub image: String,
    /// The new name
    #[arg(value_name = "NAME[:TAG]")]
    pub name: String,
}

/// Gives it the name.
pub fn execute(arguments: &TagArguments) -> Result<u8, CommandError> {
    let store = ImageStore::open_default()?;
    store.tag(&arguments.image, &tag_name(&arguments.name)?)?;
    Ok(0)
}

fn tag_name(text: &str) -> Result<Name, CommandError> {
    let name = Name::parse(text)?;
    if name.tag().is_none() {
        let text = text.escape_debug();
        return Err(CommandError::Usage(format!("'{text}': a new name has a tag, not a digest")));
    }
    Ok(name)
}
