//! `rmi`: names of images, removed, and images with their last name.

use clap::Args;

use super::prune::in_use;
use crate::error::CommandError;
use crate::names::each_says;
use images::store::{ImageStore, StoreError};

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

/// As in docker, one that is not there is no failure where it is removed by force.
pub fn execute(arguments: &RemoveImageArguments) -> Result<u8, CommandError> {
    let store = ImageStore::open_default()?;
    let remove = |image: &String| {
        let removed = store.remove(image, arguments.force, &in_use)?;
        let mut text = String::new();
        for name in &removed.names {
            text += &format!("Untagged: {}\n", name.short());
        }
        if let Some(id) = removed.image {
            text += &format!("Deleted: {id}\n");
        }
        Ok(text)
    };
    let is_missing = |error: &CommandError| matches!(error, CommandError::Store(error) if matches!(**error, StoreError::NotFound(_)));
    each_says(&arguments.images, remove, |error| arguments.force && is_missing(error))
}
