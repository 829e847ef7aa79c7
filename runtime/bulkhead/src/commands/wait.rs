//! `wait`: until containers end.

use clap::Args;

use crate::error::CommandError;
use crate::names::{Names, each_says};
use containers::container::{Container, Containers};
use containers::supervisor::{Client, Reply, Request, SupervisorError};

/// Wait until containers end, and print their exit statuses
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  bulkhead wait job")]
pub struct WaitArguments {
    #[command(flatten)]
    pub names: Names,
}

/// Prints the exit status of each.
pub fn execute(arguments: &WaitArguments) -> Result<u8, CommandError> {
    let containers = Containers::open_default()?;
    let status = |name: &String| {
        Ok(format!(
            "{}
",
            wait(&containers.find(name)?)?
        ))
    };
    each_says(&arguments.names.containers, status, |_| false)
}

/// The status of the container's next end, or of its last one when it does not run.
fn wait(container: &Container) -> Result<u8, CommandError> {
    match Client::connect(container) {
        Ok(client) => match client.ask(&Request::Wait, &[])? {
            Reply::Exited(status) => Ok(status),
            _ => Err(SupervisorError::Unexpected.into()),
        },
        Err(SupervisorError::NotRunning) => Ok(container.state()?.exit_code),
        Err(error) => Err(error.into()),
    }
}
