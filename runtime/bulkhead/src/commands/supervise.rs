//! `supervise`: the hidden command of the process that has a container in the background.

use clap::Args;

use crate::error::CommandError;
use crate::foreground::folders;
use containers::container::Containers;
use containers::supervisor;

#[derive(Debug, Args)]
#[command(hide = true)]
pub struct SuperviseArguments {
    id: String,
}

/// Lives through the container's life; its exit status.
pub fn execute(arguments: &SuperviseArguments) -> Result<u8, CommandError> {
    let container = Containers::open_default()?.find(&arguments.id)?;
    Ok(supervisor::supervise(container, folders()?)?)
}
