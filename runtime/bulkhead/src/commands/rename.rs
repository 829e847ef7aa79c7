//! `rename`: another name for a container.

use clap::Args;

use crate::error::CommandError;
use containers::container::Containers;

/// Give a container another name
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  bulkhead rename web web-old")]
pub struct RenameArguments {
    /// Its name or ID
    #[arg(value_name = "CONTAINER")]
    pub container: String,
    /// The new name
    #[arg(value_name = "NAME")]
    pub name: String,
}

/// Gives it the name.
pub fn execute(arguments: &RenameArguments) -> Result<u8, CommandError> {
    let containers = Containers::open_default()?;
    containers.rename(&containers.find(&arguments.container)?, &arguments.name)?;
    Ok(0)
}
