//! `kill`: a signal for containers.

use clap::Args;

use crate::error::CommandError;
use crate::names::{Names, each};
use containers::container::Containers;
use containers::supervisor::{Client, Request};
use host::signal;

/// Send containers a signal; KILL, the default, ends them whatever they do
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bulkhead kill web\n  bulkhead kill -s HUP web")]
pub struct KillArguments {
    /// The signal
    #[arg(long, short, value_name = "SIGNAL", default_value = "KILL", value_parser = signal::parse)]
    pub signal: u8,
    #[command(flatten)]
    pub names: Names,
}

/// Sends it to each.
pub fn execute(arguments: &KillArguments) -> Result<u8, CommandError> {
    let containers = Containers::open_default()?;
    each(&arguments.names, |name| {
        Ok(Client::connect(&containers.find(name)?)?
            .request(&Request::Signal(arguments.signal), &[])?)
    })
}
