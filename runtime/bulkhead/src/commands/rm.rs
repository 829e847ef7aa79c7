//! `rm`: containers, removed.

use std::thread;
use std::time::{Duration, Instant};

use clap::Args;

use crate::error::CommandError;
use crate::names::{Names, each_says};
use containers::container::{Container, ContainerError, Containers};
use containers::supervisor::{Client, Request, SupervisorError};

/// How long a supervisor may have a container without being there to be asked: it has just taken it, or it writes down its
/// end, or removes it. That is a moment; and on a machine that stands still for longer this is said.
const PATIENCE: Duration = Duration::from_secs(30);
const GLANCE: Duration = Duration::from_millis(5);

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
    if !force {
        return Ok(containers.remove(&container, container.tenure()?)?);
    }
    let deadline = Instant::now() + PATIENCE;
    let tenure = loop {
        kill(&container)?;
        match container.tenure() {
            Err(ContainerError::Running(_)) if Instant::now() < deadline => thread::sleep(GLANCE),
            // It has removed itself.
            Err(ContainerError::NotFound(_)) if container.config().auto_remove => return Ok(()),
            tenure => break tenure?,
        }
    };
    Ok(containers.remove(&container, tenure)?)
}

/// Ends it, if there is anybody to ask for that.
fn kill(container: &Container) -> Result<(), CommandError> {
    let kill = Request::Stop { signal: libc::SIGKILL as u8, timeout: 0 };
    match Client::connect(container).and_then(|client| client.request(&kill, &[])) {
        // It has ended, perhaps in this moment, or is about to begin.
        Ok(()) | Err(SupervisorError::NotRunning | SupervisorError::Lost(_)) => Ok(()),
        // It has removed itself.
        Err(SupervisorError::Container(ContainerError::NotFound(_)))
            if container.config().auto_remove =>
        {
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}
