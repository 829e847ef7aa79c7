//! Commands on what is known of containers.

mod list;
mod logs;

use clap::{Args, Subcommand};

use super::control::{Names, each};
use super::error::CommandError;
use containers::container::{ContainerError, Containers};
use containers::supervisor::{Client, Request, SupervisorError};

pub use list::facts;

#[derive(Debug, Subcommand)]
pub enum ContainersCommand {
    /// List containers
    #[command(
        after_help = "Examples:\n  bulkhead ps -a\n  bulkhead ps -q --filter label=team=web\n  bulkhead ps --format '{{.ID}} {{.Names}} {{.Status}}'"
    )]
    Ps(list::ListArguments),
    /// Show what a container has said
    #[command(
        after_help = "Examples:\n  bulkhead logs -f web\n  bulkhead logs --tail 20 -t --since 10m web"
    )]
    Logs(logs::LogsArguments),
    /// Remove containers
    #[command(after_help = "Example:\n  bulkhead rm -f web job")]
    Rm(RemoveArguments),
    /// Give a container another name
    #[command(after_help = "Example:\n  bulkhead rename web web-old")]
    Rename(RenameArguments),
}

#[derive(Debug, Args)]
pub struct RemoveArguments {
    /// Kill those that run
    #[arg(long, short)]
    pub force: bool,
    #[command(flatten)]
    pub names: Names,
}

#[derive(Debug, Args)]
pub struct RenameArguments {
    /// Its name or ID
    #[arg(value_name = "CONTAINER")]
    pub container: String,
    /// The new name
    #[arg(value_name = "NAME")]
    pub name: String,
}

/// Do what the command line says; the exit status.
pub fn execute(command: ContainersCommand) -> Result<u8, CommandError> {
    let containers = Containers::open_default()?;
    match command {
        ContainersCommand::Ps(arguments) => list::list(&containers, &arguments),
        ContainersCommand::Logs(arguments) => {
            logs::logs(&containers.find(&arguments.container)?, &arguments)
        }
        ContainersCommand::Rm(RemoveArguments { force, names }) => {
            each(&names, |name| remove(&containers, name, force))
        }
        ContainersCommand::Rename(RenameArguments { container, name }) => {
            containers.rename(&containers.find(&container)?, &name)?;
            Ok(0)
        }
    }
}

fn remove(containers: &Containers, name: &str, force: bool) -> Result<(), CommandError> {
    let container = match containers.find(name) {
        Err(ContainerError::NotFound(_)) if containers.remove_damaged(name)? => return Ok(()),
        found => found?,
    };
    if force {
        let kill = Request::Stop { signal: libc::SIGKILL as u8, timeout: 0 };
        match Client::connect(&container).and_then(|client| client.request(&kill, &[])) {
            // It has ended, perhaps in this moment.
            Ok(()) | Err(SupervisorError::NotRunning | SupervisorError::Lost(_)) => {}
            Err(error) => return Err(error.into()),
        }
        if container.config().auto_remove && !container.folder().exists() {
            return Ok(());
        }
    }
    Ok(containers.remove(&container, container.tenure()?)?)
}
