//! `unpause`: paused containers go on.

use clap::Args;

use crate::error::CommandError;
use crate::names::{Names, each};
use containers::container::Containers;
use containers::supervisor::{Client, Request};

/// Let paused containers go on
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  bulkhead unpause web")]
pub struct UnpauseArguments {
    #[command(flatten)]
    pub names: Names,
}

/// Lets each go on.
pub fn execute(arguments: &UnpauseArguments) -> Result<u8, CommandError> {
    let containers = Containers::open_default()?;
    each(&arguments.names, |name| {
        Ok(Client::connect(&containers.find(name)?)?.request(&Request::Unpause, &[])?)
    })
}
