//! `stop`: containers, ended.

use clap::Args;

use crate::error::CommandError;
use crate::names::{Names, each};
use crate::timeouts::parse_timeout;
use containers::container::{Container, Containers};
use containers::supervisor::{Client, Request, SupervisorError};
use host::signal;

/// End containers: their stop signal, and SIGKILL when that does not help
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  bulkhead stop -t 30 db")]
pub struct StopArguments {
    #[command(flatten)]
    pub how: How,
    #[command(flatten)]
    pub names: Names,
}

/// How containers are ended.
#[derive(Debug, Args)]
pub struct How {
    /// How long the container may take before it is killed; -1 for ever [default: the container's own, 10]
    #[arg(long, short, visible_alias = "timeout", value_name = "SECONDS", value_parser = parse_timeout, allow_negative_numbers = true)]
    pub time: Option<u32>,
    /// The signal [default: the container's own]
    #[arg(long, short, value_name = "SIGNAL", value_parser = signal::parse)]
    pub signal: Option<u8>,
}

/// Ends each.
pub fn execute(arguments: &StopArguments) -> Result<u8, CommandError> {
    let containers = Containers::open_default()?;
    each(&arguments.names, |name| stop(&containers.find(name)?, &arguments.how))
}

/// Ends it, and comes back when it has ended. One that does not run is let be.
pub(super) fn stop(container: &Container, how: &How) -> Result<(), CommandError> {
    let config = container.config();
    let request = Request::Stop {
        signal: how.signal.unwrap_or(config.stop_signal),
        timeout: how.time.unwrap_or(config.stop_timeout),
    };
    match Client::connect(container) {
        // There is nothing to end.
        Err(SupervisorError::NotRunning) => Ok(()),
        client => Ok(client?.request(&request, &[])?),
    }
}
