//! `rm`: containers, removed.

use clap::Args;

use crate::error::CommandError;
use crate::names::{Names, each_says};
use containers::container::{ContainerError, Containers};
use containers::supervisor::{Client, Request, SupervisorError};

/// Remove containers
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  bulkhead rm -f web job")]
pub struct RemoveArguments {
    /// Kill those that run; one that is not there is no failure
    #[arg(long, short)]
    pub force: bool,
    /// Remove its volumes too: it has none yet
    #[arg(long, short)]
    pub volumes: bool,
    #[command(flatten)]
    pub names: Names,
}

/// Removes each. As in docker, one that is not there is no failure where it is removed by force.
pub fn execute(arguments: &RemoveArguments) -> Result<u8, CommandError> {
    let containers = Containers::open_default()?;
    let act = |name: &String| {
        remove(&containers, name, arguments.force)?;
        Ok(format!("{name}\n"))
    };
    let is_missing = |error: &CommandError| {
        matches!(error, CommandError::Container(ContainerError::NotFound(_)))
    };
    each_says(&arguments.names.containers, act, |error| arguments.force && is_missing(error))
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
