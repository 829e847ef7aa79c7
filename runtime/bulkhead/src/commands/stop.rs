//! `stop`: containers, ended.

use clap::Args;

use crate::error::CommandError;
use crate::names::{Names, each};
use containers::container::Containers;
use containers::supervisor::{Client, Request, SupervisorError};
use host::signal;

/// End containers: their stop signal, and SIGKILL when that does not help
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  bulkhead stop -t 30 db")]
pub struct StopArguments {
    /// How long the container may take before it is killed [default: the container's own, 10]
    #[arg(long, short, visible_alias = "timeout", value_name = "SECONDS")]
    pub time: Option<u32>,
    /// The signal [default: the container's own]
    #[arg(long, short, value_name = "SIGNAL", value_parser = signal::parse)]
    pub signal: Option<u8>,
    #[command(flatten)]
    pub names: Names,
}

/// Ends each.
pub fn execute(arguments: &StopArguments) -> Result<u8, CommandError> {
    let StopArguments { time, signal, names } = arguments;
    let containers = Containers::open_default()?;
    each(names, |name| {
        let container = containers.find(name)?;
        let config = container.config();
        let request = Request::Stop {
            signal: signal.unwrap_or(config.stop_signal),
            timeout: time.unwrap_or(config.stop_timeout),
        };
        match Client::connect(&container) {
            // There is nothing to end.
            Err(SupervisorError::NotRunning) => Ok(()),
            client => Ok(client?.request(&request, &[])?),
        }
    })
}
