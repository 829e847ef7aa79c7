//! `restart`: containers, ended and started.

use clap::Args;

use super::stop::{How, stop};
use crate::error::CommandError;
use crate::names::{Names, each};
use containers::container::{Container, Containers};
use containers::supervisor;

/// End containers, and start them again in the background; those that don't run are started
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  bulkhead restart -t 30 db")]
pub struct RestartArguments {
    #[command(flatten)]
    pub how: How,
    #[command(flatten)]
    pub names: Names,
}

/// Does both to each.
pub fn execute(arguments: &RestartArguments) -> Result<u8, CommandError> {
    let containers = Containers::open_default()?;
    each(&arguments.names, |name| restart(&containers.find(name)?, &arguments.how))
}

fn restart(container: &Container, how: &How) -> Result<(), CommandError> {
    if container.config().auto_remove && container.state()?.control.is_some() {
        let message = "restart: it is removed when it ends (--rm), and can't be started again: run another one";
        return Err(CommandError::Usage(message.to_owned()));
    }
    stop(container, how)?;
    Ok(supervisor::start(container)?)
}
