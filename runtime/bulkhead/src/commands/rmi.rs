//! `rmi`: names of images, removed, and images with their last name.

use clap::Args;

use super::prune::in_use;
use crate::error::CommandError;
use crate::output::print;
use images::store::ImageStore;

/// Remove names, and images with their last name
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  bulkhead rmi web:1.2 8f3a")]
pub struct RemoveImageArguments {
    /// Remove all names of an image given by its ID
    #[arg(long, short)]
    pub force: bool,
    /// Names or IDs
    #[arg(value_name = "IMAGE", required = true)]
    pub images: Vec<String>,
}

/// What went before an error is said all the same.
pub fn execute(arguments: &RemoveImageArguments) -> Result<u8, CommandError> {
    let store = ImageStore::open_default()?;
    for image in &arguments.images {
        let removed = store.remove(image, arguments.force, &in_use)?;
        let mut text = String::new();
        for name in &removed.names {
            text += &format!("Untagged: {}\n", name.short());
        }
        if let Some(id) = removed.image {
            text += &format!("Deleted: {id}\n");
        }
        print(&text)?;
    }
    Ok(0)
}
