//! `pause`: containers in which nothing runs.

use clap::Args;

use crate::error::CommandError;
use crate::names::{Names, each};
use containers::container::Containers;
use containers::supervisor::{Client, Request};

/// Let nothing in containers run
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  bulkhead pause web")]
pub struct PauseArguments {
    #[command(flatten)]
    pub names: Names,
}

/// Pauses each.
pub fn execute(arguments: &PauseArguments) -> Result<u8, CommandError> {
    let containers = Containers::open_default()?;
    each(&arguments.names, |name| {
        Ok(Client::connect(&containers.find(name)?)?.request(&Request::Pause, &[])?)
    })
}
