//! `attach`: a container's output from now on.

use clap::Args;

use crate::error::CommandError;
use containers::container::Containers;
use containers::supervisor::{Client, End, Request};

/// Show a container's output from now on, and type into it
#[derive(Debug, Args)]
#[command(
    after_help = "With a terminal, Ctrl-P Ctrl-Q leaves and lets the container go on.\n\nExample:\n  bulkhead attach web"
)]
pub struct AttachArguments {
    /// Only look
    #[arg(long)]
    pub no_stdin: bool,
    /// Its name or ID
    #[arg(value_name = "CONTAINER")]
    pub container: String,
}

/// Shows it; the container's exit status.
pub fn execute(arguments: &AttachArguments) -> Result<u8, CommandError> {
    let container = Containers::open_default()?.find(&arguments.container)?;
    let (terminal, open) = (container.config().terminal, container.config().stdin_open);
    let stdin = !arguments.no_stdin && open;
    let client = Client::connect(&container)?;
    match client.session(&Request::Attach { stdin }, stdin, terminal)? {
        End::Exited(status) => Ok(status),
        End::Detached => Ok(0),
    }
}
